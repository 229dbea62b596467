package flux

import (
	"fmt"

	"nanoflux/models/weights"
)

// Tensors lists every tensor of the model under diffusers' names, with its
// shape.
func (c Config) Tensors() []weights.Spec {
	d := c.Width()
	var list []weights.Spec
	linear := func(name string, out, in int) {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: []int{out, in}},
			weights.Spec{Name: name + ".bias", Shape: []int{out}})
	}
	headNorm := func(name string) {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: []int{c.HeadDim}})
	}
	linear("x_embedder", d, c.InChannels)
	linear("context_embedder", d, c.TextDim)
	embedders := []struct {
		name string
		in   int
	}{{"timestep_embedder", TimeChannels}, {"text_embedder", c.PooledDim}}
	if c.Guidance {
		embedders = append(embedders, struct {
			name string
			in   int
		}{"guidance_embedder", TimeChannels})
	}
	for _, e := range embedders {
		linear("time_text_embed."+e.name+".linear_1", d, e.in)
		linear("time_text_embed."+e.name+".linear_2", d, d)
	}
	for i := range c.Layers {
		p := fmt.Sprintf("transformer_blocks.%d.", i)
		for _, n := range []string{"to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"} {
			linear(p+"attn."+n, d, d)
		}
		for _, n := range []string{"norm_q", "norm_k", "norm_added_q", "norm_added_k"} {
			headNorm(p + "attn." + n)
		}
		for _, n := range []string{"ff", "ff_context"} {
			linear(p+n+".net.0.proj", c.MLPRatio*d, d)
			linear(p+n+".net.2", d, c.MLPRatio*d)
		}
	}
	for i := range c.SingleLayers {
		p := fmt.Sprintf("single_transformer_blocks.%d.", i)
		for _, n := range []string{"to_q", "to_k", "to_v"} {
			linear(p+"attn."+n, d, d)
		}
		headNorm(p + "attn.norm_q")
		headNorm(p + "attn.norm_k")
		linear(p+"proj_mlp", c.MLPRatio*d, d)
		linear(p+"proj_out", d, (1+c.MLPRatio)*d)
	}
	for _, m := range c.modulationParts() {
		linear(m.name, m.rows*d, d)
	}
	linear("proj_out", c.OutChannels, d)
	return list
}

// open compares the weights with the configuration and returns them under
// diffusers' names, whichever layout they are in.
func (c Config) open(w weights.Source) (*weights.Reader, error) {
	if isOriginal(w) {
		var err error
		if w, err = fromOriginal(c, w); err != nil {
			return nil, err
		}
	}
	if err := weights.Check("FLUX transformer", w, c.Tensors(), nil); err != nil {
		return nil, err
	}
	return weights.NewReader(w), nil
}
