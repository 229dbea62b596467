package flux

import (
	"fmt"
	"slices"
	"strings"

	"nanoflux/models/weights"
)

// The original checkpoints (Black Forest Labs) hold the same numbers under
// other names, with some matrices stacked: queries, keys and values in `qkv`,
// and the single blocks' `linear1` also has the MLP. In the final layer's
// modulation the two halves are (shift, scale) there and (scale, shift) in
// diffusers.

// originalPrefix is put before all names by some tools that repack checkpoints.
const originalPrefix = "model.diffusion_model."

// isOriginal reports whether the file has the original layout.
func isOriginal(w weights.Source) bool {
	for _, p := range []string{"", originalPrefix} {
		if _, ok := w.Shape(p + "img_in.weight"); ok {
			return true
		}
	}
	return false
}

// rowRange is where a tensor of diffusers lies in the original file: rows
// [from, to) of a tensor that must have all rows.
type rowRange struct {
	name          string
	from, to, all int
	// rotate exchanges the halves of the rows.
	rotate bool
}

// original is a weights.Source with diffusers' names over a file of the
// original layout.
type original struct {
	w     weights.Source
	at    map[string]rowRange
	specs map[string][]int
}

// fromOriginal checks that every tensor of the original layout is there and
// wraps the file.
func fromOriginal(c Config, w weights.Source) (weights.Source, error) {
	o := &original{w: w, at: map[string]rowRange{}, specs: map[string][]int{}}
	prefix := ""
	if _, ok := w.Shape(originalPrefix + "img_in.weight"); ok {
		prefix = originalPrefix
	}
	used := map[string]bool{}
	var want []weights.Spec
	for _, s := range c.Tensors() {
		at := c.originalPlace(s)
		at.name = prefix + at.name
		o.at[s.Name], o.specs[s.Name] = at, s.Shape
		if !used[at.name] {
			used[at.name] = true
			want = append(want, weights.Spec{Name: at.name, Shape: append([]int{at.all}, s.Shape[1:]...)})
		}
	}
	if err := weights.Check("FLUX transformer (original layout)", w, want, nil); err != nil {
		return nil, err
	}
	return o, nil
}

// originalPlace finds a diffusers tensor in the original layout.
func (c Config) originalPlace(s weights.Spec) rowRange {
	d, rows := c.Width(), s.Shape[0]
	base, kind := s.Name, ""
	if i := strings.LastIndex(base, "."); i >= 0 {
		base, kind = base[:i], base[i:]
	}
	whole := func(name string) rowRange { return rowRange{name: name + kind, to: rows, all: rows} }
	part := func(name string, from, all int) rowRange {
		return rowRange{name: name + kind, from: from, to: from + rows, all: all}
	}
	norm := func(name string) rowRange { return rowRange{name: name + ".scale", to: rows, all: rows} }

	var block int
	if n, _ := fmt.Sscanf(base, "transformer_blocks.%d.", &block); n == 1 {
		p := fmt.Sprintf("double_blocks.%d.", block)
		switch strings.SplitN(base, ".", 3)[2] {
		case "norm1.linear":
			return whole(p + "img_mod.lin")
		case "norm1_context.linear":
			return whole(p + "txt_mod.lin")
		case "attn.to_q":
			return part(p+"img_attn.qkv", 0, 3*d)
		case "attn.to_k":
			return part(p+"img_attn.qkv", d, 3*d)
		case "attn.to_v":
			return part(p+"img_attn.qkv", 2*d, 3*d)
		case "attn.add_q_proj":
			return part(p+"txt_attn.qkv", 0, 3*d)
		case "attn.add_k_proj":
			return part(p+"txt_attn.qkv", d, 3*d)
		case "attn.add_v_proj":
			return part(p+"txt_attn.qkv", 2*d, 3*d)
		case "attn.norm_q":
			return norm(p + "img_attn.norm.query_norm")
		case "attn.norm_k":
			return norm(p + "img_attn.norm.key_norm")
		case "attn.norm_added_q":
			return norm(p + "txt_attn.norm.query_norm")
		case "attn.norm_added_k":
			return norm(p + "txt_attn.norm.key_norm")
		case "attn.to_out.0":
			return whole(p + "img_attn.proj")
		case "attn.to_add_out":
			return whole(p + "txt_attn.proj")
		case "ff.net.0.proj":
			return whole(p + "img_mlp.0")
		case "ff.net.2":
			return whole(p + "img_mlp.2")
		case "ff_context.net.0.proj":
			return whole(p + "txt_mlp.0")
		case "ff_context.net.2":
			return whole(p + "txt_mlp.2")
		}
	}
	if n, _ := fmt.Sscanf(base, "single_transformer_blocks.%d.", &block); n == 1 {
		p := fmt.Sprintf("single_blocks.%d.", block)
		all := (3 + c.MLPRatio) * d
		switch strings.SplitN(base, ".", 3)[2] {
		case "norm.linear":
			return whole(p + "modulation.lin")
		case "attn.to_q":
			return part(p+"linear1", 0, all)
		case "attn.to_k":
			return part(p+"linear1", d, all)
		case "attn.to_v":
			return part(p+"linear1", 2*d, all)
		case "proj_mlp":
			return part(p+"linear1", 3*d, all)
		case "proj_out":
			return whole(p + "linear2")
		case "attn.norm_q":
			return norm(p + "norm.query_norm")
		case "attn.norm_k":
			return norm(p + "norm.key_norm")
		}
	}
	switch base {
	case "x_embedder":
		return whole("img_in")
	case "context_embedder":
		return whole("txt_in")
	case "proj_out":
		return whole("final_layer.linear")
	case "norm_out.linear":
		r := whole("final_layer.adaLN_modulation.1")
		r.rotate = true
		return r
	}
	for _, e := range [][2]string{{"timestep_embedder", "time_in"}, {"text_embedder", "vector_in"}, {"guidance_embedder", "guidance_in"}} {
		switch base {
		case "time_text_embed." + e[0] + ".linear_1":
			return whole(e[1] + ".in_layer")
		case "time_text_embed." + e[0] + ".linear_2":
			return whole(e[1] + ".out_layer")
		}
	}
	// Not reached while this list covers Config.Tensors, which a test holds.
	return whole(base)
}

func (o *original) Names() []string {
	names := make([]string, 0, len(o.at))
	for n := range o.at {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (o *original) Shape(name string) ([]int, bool) {
	s, ok := o.specs[name]
	return s, ok
}

func (o *original) Float32s(name string, shape ...int) ([]float32, error) {
	at, ok := o.at[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q in the original layout", name)
	}
	own := o.specs[name]
	if len(shape) > 0 && !slices.Equal(shape, own) {
		return nil, fmt.Errorf("tensor %q is %v, not %v", name, own, shape)
	}
	all, err := o.w.Float32s(at.name, append([]int{at.all}, own[1:]...)...)
	if err != nil {
		return nil, err
	}
	row := len(all) / at.all
	rows := all[at.from*row : at.to*row]
	if at.rotate {
		half := len(rows) / 2
		return slices.Concat(rows[half:], rows[:half]), nil
	}
	return rows, nil
}
