package flux

import (
	"fmt"
	"math"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// Shape is what a denoiser graph is built for.
type Shape struct {
	// Rows × Columns is the grid of image tokens, row by row.
	Rows, Columns int
	// TextTokens is the number of text tokens, padding included.
	TextTokens int
}

// ImageTokens is the number of image tokens.
func (s Shape) ImageTokens() int { return s.Rows * s.Columns }

func (s Shape) check() error {
	const mostTokens = 1 << 17
	for _, n := range []int{s.Rows, s.Columns, s.TextTokens} {
		if n < 1 || n > mostTokens {
			return fmt.Errorf("%w: a grid of %d × %d image tokens and %d text tokens: each must be from 1 to %d", config.ErrConfig, s.Rows, s.Columns, s.TextTokens, mostTokens)
		}
	}
	if n := s.ImageTokens() + s.TextTokens; n > mostTokens {
		return fmt.Errorf("%w: %d tokens; the most is %d", config.ErrConfig, n, mostTokens)
	}
	return nil
}

// Options of the builders.
type Options struct {
	// Storage says how weights are stored; the zero value is float32.
	Storage weights.Policy
	// Taps adds outputs behind the model's own for the states between the
	// layers, under the names of the golden tests ("double.0.img_out").
	Taps bool
}

// BuildDenoiser makes the graph of the transformer for one shape, batch 1:
//
//	inputs   latent     float32 [1, rows·columns, InChannels]
//	         text       float32 [1, TextTokens, TextDim]
//	         modulation float32 [1, Config.Rows(), Width()]
//	output   velocity   float32 [1, rows·columns, OutChannels]
//
// Timestep, guidance and pooled text come in by the modulation
// (BuildModulation). Errors wrap weights.ErrWeights or config.ErrConfig.
func BuildDenoiser(c Config, w weights.Source, s Shape, o Options) (*graph.Model, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	r, err := c.open(w)
	if err != nil {
		return nil, err
	}
	d := &denoiser{Net: layers.New("denoiser", r, o.Storage, normEps), c: c, s: s, taps: o.Taps}
	d.build()
	return d.Model()
}

type denoiser struct {
	*layers.Net
	c Config
	s Shape
	// rows are the modulation's rows, each [1, 1, width].
	rows []graph.T
	// cos and sin are the rotary tables [1, 1, tokens, headDim].
	cos, sin graph.T
	taps     bool
	tapped   []tap
}

// tap is an extra output; they are added last, behind the velocity.
type tap struct {
	name string
	x    graph.T
}

func (d *denoiser) tap(name string, x graph.T) {
	if d.taps {
		d.tapped = append(d.tapped, tap{name, x})
	}
}

func (d *denoiser) build() {
	b, width, image := d.B, d.c.Width(), d.s.ImageTokens()
	latent := b.Input("latent", graph.Float32, 1, image, d.c.InChannels)
	text := b.Input("text", graph.Float32, 1, d.s.TextTokens, d.c.TextDim)
	modulation := b.Input("modulation", graph.Float32, 1, d.c.Rows(), width)
	d.rows = b.Split(modulation, 1, d.c.Rows())
	cos, sin := ropeTables(d.c, d.s)
	tokens := image + d.s.TextTokens
	d.cos = d.K.Exact("rope/cos", cos, 1, 1, tokens, d.c.HeadDim)
	d.sin = d.K.Exact("rope/sin", sin, 1, 1, tokens, d.c.HeadDim)

	x := d.linear("x_embedder", "x_embedder", latent, d.c.InChannels, width)
	y := d.linear("context_embedder", "context_embedder", text, d.c.TextDim, width)
	d.tap("x_embedder", x)
	d.tap("context_embedder", y)
	for i := range d.c.Layers {
		d.K.Scope(fmt.Sprintf("double.%d", i), func() { x, y = d.double(i, x, y) })
	}
	z := b.Concat(1, y, x)
	for i := range d.c.SingleLayers {
		d.K.Scope(fmt.Sprintf("single.%d", i), func() { z = d.single(i, z) })
		if d.taps && i < d.c.SingleLayers-1 {
			d.tap(fmt.Sprintf("single.%d.txt_out", i), d.textPart(z))
			d.tap(fmt.Sprintf("single.%d.img_out", i), d.imagePart(z))
		}
	}
	x = d.imagePart(z)
	if last := d.c.SingleLayers - 1; d.taps && last >= 0 {
		d.tap(fmt.Sprintf("single.%d.txt_out", last), d.textPart(z))
		d.tap(fmt.Sprintf("single.%d.img_out", last), x)
	}
	d.K.Scope("final", func() {
		n := d.modulated(x, d.c.FinalRows())
		d.tap("norm_out", n)
		x = d.linear("proj_out", "proj_out", n, width, d.c.OutChannels)
	})
	b.Output("velocity", x)
	for _, t := range d.tapped {
		b.Output(t.name, t.x)
	}
}

func (d *denoiser) textPart(z graph.T) graph.T {
	return d.B.Slice(z, []int{0, 0, 0}, []int{1, d.s.TextTokens, d.c.Width()})
}

func (d *denoiser) imagePart(z graph.T) graph.T {
	return d.B.Slice(z, []int{0, d.s.TextTokens, 0}, []int{1, d.s.ImageTokens(), d.c.Width()})
}

// linear is the layer `name` of the weights, called `as` in the graph.
func (d *denoiser) linear(as, name string, x graph.T, in, out int) graph.T {
	return d.Linear(as, x, d.W.Get(name+".weight", out, in), d.W.Get(name+".bias", out), graph.ActNone)
}

// modulated is LayerNorm(x)·(1 + scale) + shift; the rows hold 1 + scale.
func (d *denoiser) modulated(x graph.T, a Affine) graph.T {
	scaled := d.B.Mul(d.LayerNorm(x), d.rows[a.Scale])
	return d.B.Add(scaled, d.rows[a.Shift])
}

// gated is x + gate·branch.
func (d *denoiser) gated(x, branch graph.T, a Affine) graph.T {
	return d.B.Add(x, d.B.Mul(branch, d.rows[a.Gate]))
}

// stream names the weights of one of the two streams of a double block.
type stream struct {
	name, tap          string
	q, k, v, out       string
	normQ, normK, mlp  string
	tokens             int
	attention, mlpRows Affine
}

// double is a double-stream block: image and text have their own weights and
// meet in the attention. It returns the new image and text states.
func (d *denoiser) double(i int, x, y graph.T) (graph.T, graph.T) {
	p := fmt.Sprintf("transformer_blocks.%d.", i)
	image := stream{name: "image", tap: "img", q: "to_q", k: "to_k", v: "to_v", out: "to_out.0",
		normQ: "norm_q", normK: "norm_k", mlp: "ff", tokens: d.s.ImageTokens()}
	text := stream{name: "text", tap: "txt", q: "add_q_proj", k: "add_k_proj", v: "add_v_proj", out: "to_add_out",
		normQ: "norm_added_q", normK: "norm_added_k", mlp: "ff_context", tokens: d.s.TextTokens}
	image.attention, image.mlpRows, text.attention, text.mlpRows = d.c.DoubleRows(i)
	tap := func(s stream, what string, t graph.T) { d.tap(fmt.Sprintf("double.%d.%s_%s", i, s.tap, what), t) }

	project := func(s stream, x graph.T) (qk, v graph.T) {
		d.K.Scope(s.name, func() {
			n := d.modulated(x, s.attention)
			tap(s, "norm1", n)
			qk, v = d.project(p+"attn.", s, n)
			tap(s, "qk_normed", qk)
		})
		return qk, v
	}
	imageQK, imageV := project(image, x)
	textQK, textV := project(text, y)
	joint := d.attention(d.B.Concat(1, textQK, imageQK), d.B.Concat(1, textV, imageV))

	finish := func(s stream, x, attention graph.T) graph.T {
		d.K.Scope(s.name, func() {
			a := d.linear("attention/out", p+"attn."+s.out, attention, d.c.Width(), d.c.Width())
			tap(s, "attn", a)
			x = d.gated(x, a, s.attention)
			n := d.modulated(x, s.mlpRows)
			tap(s, "mlp_in", n)
			h := d.linear("mlp/up", p+s.mlp+".net.0.proj", n, d.c.Width(), d.c.MLPRatio*d.c.Width())
			m := d.linear("mlp/down", p+s.mlp+".net.2", d.B.Gelu(h, true), d.c.MLPRatio*d.c.Width(), d.c.Width())
			tap(s, "mlp_out", m)
			x = d.gated(x, m, s.mlpRows)
			tap(s, "out", x)
		})
		return x
	}
	return finish(image, x, d.imagePart(joint)), finish(text, y, d.textPart(joint))
}

// single is a single-stream block: attention and MLP work on the same
// normalised state, side by side, and are projected together. The reference
// concatenates the two before one projection; here each has its part of the
// projection's columns, which spares copying the widest tensor of the model:
//
//	W·[a, m] + b = (Wa·a + b) + Wm·m
func (d *denoiser) single(i int, z graph.T) graph.T {
	p := fmt.Sprintf("single_transformer_blocks.%d.", i)
	rows := d.c.SingleRows(i)
	width, hidden := d.c.Width(), d.c.MLPRatio*d.c.Width()
	n := d.modulated(z, rows)
	d.tap(fmt.Sprintf("single.%d.norm", i), n)
	s := stream{q: "to_q", k: "to_k", v: "to_v", normQ: "norm_q", normK: "norm_k", tokens: d.s.TextTokens + d.s.ImageTokens()}
	a := d.attention(d.project(p+"attn.", s, n))
	d.tap(fmt.Sprintf("single.%d.attn", i), a)
	m := d.B.Gelu(d.linear("mlp/up", p+"proj_mlp", n, width, hidden), true)

	forAttention, forMLP := splitColumns(d.W.Get(p+"proj_out.weight", width, width+hidden), width, width+hidden)
	a = d.Linear("attention/out", a, forAttention, d.W.Get(p+"proj_out.bias", width), graph.ActNone)
	m = d.Linear("mlp/down", m, forMLP, nil, graph.ActNone)
	return d.gated(z, d.B.Add(a, m), rows)
}

// splitColumns cuts a matrix of the given columns into the first n and the rest.
func splitColumns(w []float32, n, columns int) (first, rest []float32) {
	if weights.IsBlank(w) {
		rows := len(w) / columns
		return w[:rows*n], w[:rows*(columns-n)]
	}
	for at := 0; at < len(w); at += columns {
		first = append(first, w[at:at+n]...)
		rest = append(rest, w[at+n:at+columns]...)
	}
	return first, rest
}

// project computes queries and keys, normalised, [1, tokens, 2·heads, headDim]
// (queries first), and values [1, tokens, width]. Queries and keys share one
// linear layer; values have their own, because they go another way, and cutting
// one wide result apart would cost a copy of all of it.
//
// The heads' channels are in halvesOrder (rope.go). The norm's weight of the
// queries also has the attention's 1/√headDim.
func (d *denoiser) project(prefix string, s stream, n graph.T) (qk, v graph.T) {
	width, heads, dim := d.c.Width(), d.c.Heads, d.c.HeadDim
	order := halvesOrder(dim)
	w := weights.Join(
		permuteHeads(d.W.Get(prefix+s.q+".weight", width, width), order, width),
		permuteHeads(d.W.Get(prefix+s.k+".weight", width, width), order, width))
	bias := weights.Join(
		permuteHeads(d.W.Get(prefix+s.q+".bias", width), order, 1),
		permuteHeads(d.W.Get(prefix+s.k+".bias", width), order, 1))
	qk = d.Linear("attention/qk", n, w, bias, graph.ActNone)
	qk = d.RMSNorm(d.B.Reshape(qk, 1, s.tokens, 2*heads, dim))

	weight := make([]float32, 0, 2*width)
	normQ := permuteHeads(d.W.Get(prefix+s.normQ+".weight", dim), order, 1)
	normK := permuteHeads(d.W.Get(prefix+s.normK+".weight", dim), order, 1)
	for range heads {
		for _, v := range normQ {
			weight = append(weight, v*float32(1/math.Sqrt(float64(dim))))
		}
	}
	for range heads {
		weight = append(weight, normK...)
	}
	qk = d.B.Mul(qk, d.K.Exact("attention/qk_norm.weight", weight, 1, 1, 2*heads, dim))
	v = d.linear("attention/v", prefix+s.v, n, width, width)
	return qk, v
}

// attention is softmax(rope(Q)·rope(K)ᵀ)·V over all tokens, [1, tokens, width],
// before the output projection. See project for qk and v.
func (d *denoiser) attention(qk, v graph.T) graph.T {
	b, heads, dim := d.B, d.c.Heads, d.c.HeadDim
	tokens := d.s.TextTokens + d.s.ImageTokens()
	perHead := []int{0, 2, 1, 3}
	qk = b.Transpose(qk, perHead...)
	halves := b.Split(qk, 3, 2)
	swapped := b.Concat(3, halves[1], halves[0])
	rotated := b.Add(b.Mul(qk, d.cos), b.Mul(swapped, d.sin))
	parts := b.Split(rotated, 1, 2)
	v = b.Transpose(b.Reshape(v, 1, tokens, heads, dim), perHead...)
	scores := b.BatchMatMul(parts[0], parts[1], false, true)
	mixed := b.BatchMatMul(b.Softmax(scores), v, false, false)
	return b.Reshape(b.Transpose(mixed, perHead...), 1, tokens, d.c.Width())
}
