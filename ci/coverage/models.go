package main

import (
	"fmt"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/flux"
	"nanoflux/models/nanoflux"
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
		family: "NanoFLUX", part: "text encoder", blocks: scopes("layer", nanoflux.Encoder.Layers),
		stored: func(s weights.Storage) (*graph.Model, error) {
			w, err := weights.Blank(nanoflux.Encoder.Tensors())
			if err != nil {
				return nil, err
			}
			return text.BuildT5(nanoflux.Encoder, w, text.T5Options{Tokens: nanoflux.TextTokens, Storage: weights.Uniform(s)})
		},
	}}
	// 1024 image tokens, and the quarter of them in its down-sampled blocks.
	for _, side := range []int{nanoflux.LatentSide / 2, nanoflux.LatentSide / 4} {
		list = append(list, subject{
			family: "NanoFLUX", part: fmt.Sprintf("denoiser, %d + %d tokens", side*side, nanoflux.TextTokens),
			blocks: append(scopes("double", nanoflux.Denoiser.Layers), scopes("single", nanoflux.Denoiser.SingleLayers)...),
			stored: func(s weights.Storage) (*graph.Model, error) {
				return denoiser(nanoflux.Denoiser, flux.Shape{Rows: side, Columns: side, TextTokens: nanoflux.TextTokens}, s)
			},
		})
	}
	for _, r := range []struct {
		part   string
		side   int
		wanted []weights.Spec
		build  func(width, rows, columns int, w weights.Source, o flux.Options) (*graph.Model, error)
	}{
		{"downsampler", nanoflux.LatentSide / 2, flux.DownsamplerTensors(nanoflux.Denoiser.Width()), flux.BuildDownsampler},
		{"upsampler", nanoflux.LatentSide / 4, flux.UpsamplerTensors(nanoflux.Denoiser.Width()), flux.BuildUpsampler},
	} {
		list = append(list, subject{
			family: "NanoFLUX", part: r.part,
			stored: func(s weights.Storage) (*graph.Model, error) {
				w, err := weights.Blank(r.wanted)
				if err != nil {
					return nil, err
				}
				return r.build(nanoflux.Denoiser.Width(), r.side, r.side, w, flux.Options{Storage: weights.Uniform(s)})
			},
		})
	}
	return append(list, subject{
		family: "NanoFLUX", part: "decoder",
		stored: func(s weights.Storage) (*graph.Model, error) {
			w, err := weights.Blank(nanoflux.Decoder.DecoderTensors())
			if err != nil {
				return nil, err
			}
			return vae.BuildKLDecoder(nanoflux.Decoder, w, nanoflux.LatentSide, nanoflux.LatentSide, vae.Options{Storage: weights.Uniform(s)})
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
