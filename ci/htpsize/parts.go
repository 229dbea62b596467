package main

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"nanoflux/graph"
	"nanoflux/models/flux"
	"nanoflux/models/nanoflux"
	"nanoflux/models/text"
	"nanoflux/models/vae"
	"nanoflux/models/weights"
)

// part is a graph of which the model has several.
type part struct {
	name  string
	count int
	build func() (*graph.Model, error)
}

// parts are those of the paper, and add up to the model. Blocks have the embedders
// and the final layer of a denoiser around them, as the graph builder makes them,
// which count for little. A double block stands before a single one: alone, half of
// its results would be used by nobody.
func parts() []part {
	image := nanoflux.LatentSide / 2
	block := func(double, single int) func() (*graph.Model, error) {
		return func() (*graph.Model, error) {
			c := nanoflux.Denoiser
			c.Layers, c.SingleLayers = double, single
			return flux.BuildDenoiser(c, source(c.Tensors()), flux.Shape{Rows: image, Columns: image, TextTokens: nanoflux.TextTokens}, flux.Options{})
		}
	}
	width := nanoflux.Denoiser.Width()
	return []part{
		{"embedders and final layer", 1, block(0, 0)},
		{"double and single block", nanoflux.Denoiser.Layers, block(1, 1)},
		{"single block", nanoflux.Denoiser.SingleLayers - nanoflux.Denoiser.Layers, block(0, 1)},
		{"downsampler", 1, func() (*graph.Model, error) {
			return flux.BuildDownsampler(width, image, image, source(flux.DownsamplerTensors(width)), flux.Options{})
		}},
		{"upsampler", 1, func() (*graph.Model, error) {
			return flux.BuildUpsampler(width, image/2, image/2, source(flux.UpsamplerTensors(width)), flux.Options{})
		}},
		{"T5 layer (with a small vocabulary)", nanoflux.Encoder.Layers, func() (*graph.Model, error) {
			c := nanoflux.Encoder
			c.Layers, c.Vocabulary = 1, 256
			return text.BuildT5(c, source(c.Tensors()), text.T5Options{Tokens: nanoflux.TextTokens})
		}},
		{"decoder", 1, func() (*graph.Model, error) {
			return vae.BuildKLDecoder(nanoflux.Decoder, source(nanoflux.Decoder.DecoderTensors()), nanoflux.LatentSide, nanoflux.LatentSide, vae.Options{})
		}},
	}
}

// madeUp are weights that depend on their names alone, as large as those of a
// network before training: normal, divided by the square root of the inputs.
type madeUp map[string][]int

func source(list []weights.Spec) weights.Source {
	m := madeUp{}
	for _, s := range list {
		m[s.Name] = s.Shape
	}
	return m
}

// Names implements weights.Source.
func (m madeUp) Names() []string { return slices.Sorted(maps.Keys(m)) }

// Shape implements weights.Source.
func (m madeUp) Shape(name string) ([]int, bool) { s, ok := m[name]; return s, ok }

// Float32s implements weights.Source.
func (m madeUp) Float32s(name string, shape ...int) ([]float32, error) {
	if !slices.Equal(shape, m[name]) {
		return nil, fmt.Errorf("%s has shape %v, not %v", name, m[name], shape)
	}
	n, inputs := 1, 1
	for i, d := range shape {
		n *= d
		if i > 0 {
			inputs *= d
		}
	}
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(r.NormFloat64() / math.Sqrt(float64(inputs)))
	}
	return values, nil
}
