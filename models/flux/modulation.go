package flux

import (
	"math"

	"nanoflux/graph"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// ModulationOptions are the options of BuildModulation.
type ModulationOptions struct {
	Options
	// ZeroPooled leaves the input `pooled` out, for models that were trained
	// with a pooled vector of zeros; what its embedder then gives is a
	// constant.
	ZeroPooled bool
}

// BuildModulation makes the graph from a timestep to the denoiser's input
// `modulation`:
//
//	inputs   time_projection     float32 [1, 256]  TimeProjection(t)
//	         guidance_projection float32 [1, 256]  TimeProjection(guidance), if Config.Guidance
//	         pooled              float32 [1, PooledDim], unless ZeroPooled
//	output   modulation          float32 [1, Config.Rows(), Width()]
//
// embedding = MLP(time) + MLP(guidance) + MLP(pooled), MLP = linear, SiLU,
// linear; every block's rows are linear(SiLU(embedding)). It depends on nothing
// that changes between the pictures of one schedule (but for pooled), so a
// caller runs it once a timestep and keeps the result. Option Taps adds the
// embedding, `temb` [1, width].
func BuildModulation(c Config, w weights.Source, o ModulationOptions) (*graph.Model, error) {
	r, err := c.open(w)
	if err != nil {
		return nil, err
	}
	n := layers.New("modulation", r, o.Storage, normEps)
	b, width := n.B, c.Width()

	embed := func(name, as string, x graph.T, in int, plus []float32) graph.T {
		p := "time_text_embed." + name
		bias := n.W.Get(p+".linear_2.bias", width)
		if plus != nil {
			bias = sum(bias, plus)
		}
		h := n.Linear(as+"/up", x, n.W.Get(p+".linear_1.weight", width, in), n.W.Get(p+".linear_1.bias", width), graph.ActNone)
		return n.Linear(as+"/out", n.SiLU(h), n.W.Get(p+".linear_2.weight", width, width), bias, graph.ActNone)
	}
	var constant []float32
	if o.ZeroPooled {
		constant = zeroPooled(c, n.W)
	}
	embedding := embed("timestep_embedder", "time", b.Input("time_projection", graph.Float32, 1, TimeChannels), TimeChannels, constant)
	if c.Guidance {
		x := b.Input("guidance_projection", graph.Float32, 1, TimeChannels)
		embedding = b.Add(embedding, embed("guidance_embedder", "guidance", x, TimeChannels, nil))
	}
	if !o.ZeroPooled {
		x := b.Input("pooled", graph.Float32, 1, c.PooledDim)
		embedding = b.Add(embedding, embed("text_embedder", "pooled", x, c.PooledDim, nil))
	}

	active := n.SiLU(embedding)
	var rows []graph.T
	for _, part := range c.modulationParts() {
		bias := sum(n.W.Get(part.name+".bias", part.rows*width), nil)
		for _, scale := range part.scales {
			for i := range width {
				bias[scale*width+i]++ // the rows hold 1 + scale
			}
		}
		rows = append(rows, n.Linear(part.name, active, n.W.Get(part.name+".weight", part.rows*width, width), bias, graph.ActNone))
	}
	all := rows[0]
	if len(rows) > 1 {
		all = b.Concat(1, rows...)
	}
	b.Output("modulation", b.Reshape(all, 1, c.Rows(), width))
	if o.Taps {
		b.Output("temb", embedding)
	}
	return n.Model()
}

// sum adds b (nil for zeros) to a copy of a.
func sum(a, b []float32) []float32 {
	out := append([]float32(nil), a...)
	for i, v := range b {
		out[i] += v
	}
	return out
}

// zeroPooled is the pooled embedder's output for a vector of zeros:
// W2·SiLU(b1) + b2.
func zeroPooled(c Config, w *weights.Reader) []float32 {
	const p = "time_text_embed.text_embedder."
	width := c.Width()
	// The first matrix meets only zeros; it is read to find a bad file now.
	w.Get(p+"linear_1.weight", width, c.PooledDim)
	hidden, second, bias := w.Get(p+"linear_1.bias", width), w.Get(p+"linear_2.weight", width, width), w.Get(p+"linear_2.bias", width)
	out := make([]float32, width)
	for o := range out {
		total := float64(bias[o])
		for i, h := range hidden {
			x := float64(h)
			total += float64(second[o*width+i]) * x / (1 + math.Exp(-x))
		}
		out[o] = float32(total)
	}
	return out
}
