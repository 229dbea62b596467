package main

import (
	"fmt"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/flux"
	"nanoflux/models/text"
	"nanoflux/models/vae"
	"nanoflux/models/weights"
)

// subject is a model that is measured, whole or a part of a bundle.
type subject struct {
	// family and part name it: "pocket", "denoiser".
	family, part string
	// blocks are the scopes of its blocks, which begin the names of the tensors
	// made in them.
	blocks []string
	// stored builds it with its weights in a storage; nil for a model that comes
	// from a file.
	stored func(weights.Storage) (*graph.Model, error)
	// file is the model of a file.
	file *graph.Model
}

// NanoFLUX's published sizes. The encoder is T5-Large; the paper's two layers
// that widen its states are not part of the encoder's graph here. The rotary
// axes of a head of 96 were not published; these are the teacher's, scaled.
var (
	nanoDenoiser = flux.Config{
		InChannels: 64, OutChannels: 64, Layers: 19, SingleLayers: 24,
		Heads: 16, HeadDim: 96, MLPRatio: 4, TextDim: 4096, PooledDim: 768,
		AxesDims: []int{12, 42, 42}, Theta: 10000,
	}
	nanoEncoder = text.T5Config{
		Vocabulary: 32128, Width: 1024, Heads: 16, HeadDim: 64, Hidden: 4096, Layers: 24,
		Buckets: 32, MaxDistance: 128, Eps: 1e-6,
	}
	nanoDecoder = vae.KLConfig{
		ImageChannels: 3, LatentChannels: 16, Channels: []int{128, 256, 512, 512}, Blocks: 2, Groups: 32,
		Scale: 0.3611, Shift: 0.1159,
	}
)

const (
	nanoText = 256 // text tokens
	nanoSide = 64  // sides of the latent of a picture of 512 × 512
)

// subjects are all models of the table. close lets the files go.
func subjects() (list []subject, closeAll func() error, err error) {
	b, err := pocket.Open()
	if err != nil {
		return nil, nil, err
	}
	blocks := map[string][]string{
		"text_encoder": scopes("layer", 2),
		"denoiser":     append(scopes("double", 2), scopes("single", 5)...),
	}
	for _, part := range []string{"text_encoder", "denoiser", "decoder"} {
		m, err := b.Model(part)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, subject{family: "pocket", part: strings.ReplaceAll(part, "_", " "), blocks: blocks[part], file: m})
	}
	return append(list, nano()...), b.Close, nil
}

// nano are graphs of NanoFLUX's true size.
func nano() []subject {
	list := []subject{{
		family: "NanoFLUX", part: "text encoder", blocks: scopes("layer", nanoEncoder.Layers),
		stored: func(s weights.Storage) (*graph.Model, error) {
			w, err := weights.Blank(nanoEncoder.Tensors())
			if err != nil {
				return nil, err
			}
			return text.BuildT5(nanoEncoder, w, text.T5Options{Tokens: nanoText, Storage: weights.Uniform(s)})
		},
	}}
	// 1024 image tokens, and the quarter of them in its down-sampled blocks.
	for _, side := range []int{nanoSide / 2, nanoSide / 4} {
		list = append(list, subject{
			family: "NanoFLUX", part: fmt.Sprintf("denoiser, %d + %d tokens", side*side, nanoText),
			blocks: append(scopes("double", nanoDenoiser.Layers), scopes("single", nanoDenoiser.SingleLayers)...),
			stored: func(s weights.Storage) (*graph.Model, error) {
				return denoiser(nanoDenoiser, flux.Shape{Rows: side, Columns: side, TextTokens: nanoText}, s)
			},
		})
	}
	for _, r := range []struct {
		part   string
		side   int
		wanted []weights.Spec
		build  func(width, rows, columns int, w weights.Source, o flux.Options) (*graph.Model, error)
	}{
		{"downsampler", nanoSide / 2, flux.DownsamplerTensors(nanoDenoiser.Width()), flux.BuildDownsampler},
		{"upsampler", nanoSide / 4, flux.UpsamplerTensors(nanoDenoiser.Width()), flux.BuildUpsampler},
	} {
		list = append(list, subject{
			family: "NanoFLUX", part: r.part,
			stored: func(s weights.Storage) (*graph.Model, error) {
				w, err := weights.Blank(r.wanted)
				if err != nil {
					return nil, err
				}
				return r.build(nanoDenoiser.Width(), r.side, r.side, w, flux.Options{Storage: weights.Uniform(s)})
			},
		})
	}
	return append(list, subject{
		family: "NanoFLUX", part: "decoder",
		stored: func(s weights.Storage) (*graph.Model, error) {
			w, err := weights.Blank(nanoDecoder.DecoderTensors())
			if err != nil {
				return nil, err
			}
			return vae.BuildKLDecoder(nanoDecoder, w, nanoSide, nanoSide, vae.Options{Storage: weights.Uniform(s)})
		},
	})
}

func denoiser(c flux.Config, shape flux.Shape, s weights.Storage) (*graph.Model, error) {
	w, err := weights.Blank(c.Tensors())
	if err != nil {
		return nil, err
	}
	return flux.BuildDenoiser(c, w, shape, flux.Options{Storage: weights.Uniform(s)})
}

// scopes are kind.0/ to kind.n−1/.
func scopes(kind string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s.%d/", kind, i)
	}
	return list
}
