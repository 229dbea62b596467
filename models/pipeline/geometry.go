package pipeline

import (
	"fmt"
	"math"
	"slices"

	"nanoflux/graph"
)

// The names of the parts of a bundle, which are also the stages of a run.
const (
	PartTextEncoder = "text_encoder"
	PartModulation  = "modulation"
	PartDenoiser    = "denoiser"
	PartDecoder     = "decoder"
)

// geometry is the shapes with which the parts of a bundle meet. They are read
// from the models, so that they are those of the models.
type geometry struct {
	textTokens, textWidth int  // text [1, textTokens, textWidth]
	rows, width           int  // modulation [1, rows, width]
	grid                  grid // of the latent [1, h, w, channels] and its tokens
	height, imageWidth    int  // image [1, height, imageWidth, 3]
	pooled, guidance      int  // widths of optional inputs of modulation, 0 without
}

// newGeometry checks that the parts fit together. Models are untrusted: every
// input and output that the pipeline touches is compared.
func newGeometry(models map[string]*graph.Model) (geometry, error) {
	var g geometry
	c := &fitter{models: models}

	tokens := c.input(PartTextEncoder, "tokens", graph.Int32, 2)
	text := c.output(PartTextEncoder, 3)
	c.inputs(PartTextEncoder, "tokens")

	projection := c.input(PartModulation, "time_projection", graph.Float32, 2)
	modulation := c.output(PartModulation, 3)
	c.inputs(PartModulation, "time_projection", "pooled", "guidance_projection")
	pooled := c.optional(PartModulation, "pooled")
	guidance := c.optional(PartModulation, "guidance_projection")

	latent := c.input(PartDenoiser, "latent", graph.Float32, 3)
	c.same(PartDenoiser, c.input(PartDenoiser, "text", graph.Float32, 3), text)
	c.same(PartDenoiser, c.input(PartDenoiser, "modulation", graph.Float32, 3), modulation)
	c.same(PartDenoiser, c.output(PartDenoiser, 3), latent)
	c.inputs(PartDenoiser, "latent", "text", "modulation")

	z := c.input(PartDecoder, "latent", graph.Float32, 4)
	image := c.output(PartDecoder, 4)
	c.inputs(PartDecoder, "latent")
	if c.err != nil {
		return g, c.err
	}

	for _, shape := range [][]int{tokens, text, projection, modulation, latent, z, image} {
		if slices.Min(shape) < 1 {
			return g, fmt.Errorf("a part has an input or output without elements: %v", shape)
		}
	}
	for _, one := range []int{tokens[0], text[0], projection[0], modulation[0], latent[0], z[0], image[0]} {
		if one != 1 {
			return g, fmt.Errorf("a part has batch size %d; takes 1", one)
		}
	}
	switch {
	case tokens[1] != text[1]:
		return g, fmt.Errorf("%s takes %d tokens and gives %d", PartTextEncoder, tokens[1], text[1])
	case projection[1] != timeChannels || guidance != 0 && guidance != timeChannels:
		return g, fmt.Errorf("%s takes %d sinusoids; the pipeline makes %d", PartModulation, projection[1], timeChannels)
	case image[3] != 3:
		return g, fmt.Errorf("%s gives %d colour channels; takes 3", PartDecoder, image[3])
	}
	g = geometry{
		textTokens: text[1], textWidth: text[2], rows: modulation[1], width: modulation[2],
		height: image[1], imageWidth: image[2], pooled: pooled, guidance: guidance,
	}
	// A token of latent[2] values is a square of patch² pixels of z[3] channels.
	if z[3] > 0 {
		patch := int(math.Round(math.Sqrt(float64(latent[2]) / float64(z[3]))))
		if patch > 0 && z[1]%patch == 0 && z[2]%patch == 0 {
			g.grid = grid{Rows: z[1] / patch, Columns: z[2] / patch, Channels: z[3], Patch: patch}
		}
	}
	if g.grid.tokens() != latent[1] || g.grid.tokenChannels() != latent[2] {
		return g, fmt.Errorf("the denoiser's latent %v cannot be unpacked into the decoder's %v", latent, z)
	}
	return g, nil
}

// fitter reads shapes and keeps the first error; after one, shapes are zeros.
type fitter struct {
	models map[string]*graph.Model
	err    error
}

func (c *fitter) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// tensor checks one tensor's type and rank and returns its shape.
func (c *fitter) tensor(part, what string, t *graph.Tensor, want graph.TensorType, rank int) []int {
	if t == nil || t.Type != want || len(t.Shape) != rank {
		if t != nil {
			c.fail("part %s: its %s is %v %v; takes %v with %d dimensions", part, what, t.Type, t.Shape, want, rank)
		}
		return make([]int, rank)
	}
	return t.Shape
}

func (c *fitter) input(part, name string, want graph.TensorType, rank int) []int {
	t := inputNamed(c.models[part], name)
	if t == nil {
		c.fail("part %s has no input %q", part, name)
	}
	return c.tensor(part, "input "+name, t, want, rank)
}

// optional is the width of an input [1, width], or 0 without such an input.
func (c *fitter) optional(part, name string) int {
	t := inputNamed(c.models[part], name)
	if t == nil {
		return 0
	}
	shape := c.tensor(part, "input "+name, t, graph.Float32, 2)
	if shape[0] != 1 {
		c.fail("part %s: its input %s has shape %v; takes [1, n]", part, name, shape)
	}
	return shape[1]
}

// output is the shape of a part's only output.
func (c *fitter) output(part string, rank int) []int {
	g := &c.models[part].Subgraphs[0]
	if len(g.Outputs) != 1 {
		c.fail("part %s has %d outputs; takes 1", part, len(g.Outputs))
		return make([]int, rank)
	}
	return c.tensor(part, "output", &g.Tensors[g.Outputs[0]], graph.Float32, rank)
}

// inputs refuses a part with inputs that the pipeline would not fill.
func (c *fitter) inputs(part string, known ...string) {
	g := &c.models[part].Subgraphs[0]
	for _, t := range g.Inputs {
		if name := inputName(c.models[part], t); !slices.Contains(known, name) {
			c.fail("part %s takes an input %q that the pipeline does not know", part, name)
		}
	}
}

func (c *fitter) same(part string, got, want []int) {
	if !slices.Equal(got, want) {
		c.fail("part %s takes or gives %v where its neighbour has %v", part, got, want)
	}
}

// inputName is what the input at tensor t is called: its name in a signature, or
// the tensor's own.
func inputName(m *graph.Model, t int) string {
	for _, s := range m.Signatures {
		for _, n := range s.Inputs {
			if s.Subgraph == 0 && n.Tensor == t {
				return n.Name
			}
		}
	}
	return m.Subgraphs[0].Tensors[t].Name
}

// inputNamed is an input of a part by its name, or nil.
func inputNamed(m *graph.Model, name string) *graph.Tensor {
	g := &m.Subgraphs[0]
	for _, t := range g.Inputs {
		if inputName(m, t) == name {
			return &g.Tensors[t]
		}
	}
	return nil
}
