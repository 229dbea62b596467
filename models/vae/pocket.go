package vae

import (
	"fmt"

	"nanoflux/graph"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// Options of the builders.
type Options struct {
	// Storage says how weights are stored; the zero value is float32.
	Storage weights.Policy
	// Taps adds outputs for the states after each stage: block1, block2, …,
	// channels last.
	Taps bool
}

// BuildPocketDecoder makes the graph from latent to picture, batch 1, channels
// last:
//
//	input   latent float32 [1, s, s, LatentChannels], s = ImageSize/Downsample
//	output  image  float32 [1, ImageSize, ImageSize, ImageChannels]
//
// The latent is the autoencoder's own: what the denoiser made, times Std plus
// Mean. The picture is in −1…1, not clamped. Errors wrap weights.ErrWeights.
func BuildPocketDecoder(c PocketConfig, w weights.Source, o Options) (*graph.Model, error) {
	p, err := newPocket("decoder", c, w, o)
	if err != nil {
		return nil, err
	}
	side := c.ImageSize / c.Downsample
	x := p.B.Input("latent", graph.Float32, 1, side, side, c.LatentChannels)
	x = p.conv(x, "conv_in", c.LatentChannels, c.Decoder.Channels[0], 3, nil, nil)
	for i, channels := range c.Decoder.Channels {
		if i > 0 {
			name := fmt.Sprintf("up%d", i)
			x = p.conv(x, name, c.Decoder.Channels[i-1], 4*channels, 1, nil, shuffleOrder(channels, 2))
			x = p.B.DepthToSpace(x, 2)
		}
		x = p.stage(x, i, c.Decoder)
	}
	pixels := c.ImageChannels * c.Patch * c.Patch
	x = p.finish(x, c.Decoder.Channels[len(c.Decoder.Channels)-1], pixels, shuffleOrder(c.ImageChannels, c.Patch))
	if c.Patch > 1 {
		x = p.B.DepthToSpace(x, c.Patch)
	}
	return p.model("image", x)
}

// BuildPocketEncoder makes the graph from picture to latent, batch 1, channels
// last:
//
//	input   image  float32 [1, ImageSize, ImageSize, ImageChannels], −1…1
//	output  latent float32 [1, s, s, LatentChannels], s = ImageSize/Downsample
//
// The denoiser works on (latent − Mean) / Std. Errors wrap weights.ErrWeights.
func BuildPocketEncoder(c PocketConfig, w weights.Source, o Options) (*graph.Model, error) {
	p, err := newPocket("encoder", c, w, o)
	if err != nil {
		return nil, err
	}
	x := p.B.Input("image", graph.Float32, 1, c.ImageSize, c.ImageSize, c.ImageChannels)
	if c.Patch > 1 {
		x = p.B.SpaceToDepth(x, c.Patch)
	}
	pixels := c.ImageChannels * c.Patch * c.Patch
	x = p.conv(x, "conv_in", pixels, c.Encoder.Channels[0], 3, shuffleOrder(c.ImageChannels, c.Patch), nil)
	for i, channels := range c.Encoder.Channels {
		if i > 0 {
			before := c.Encoder.Channels[i-1]
			x = p.B.SpaceToDepth(x, 2)
			x = p.conv(x, fmt.Sprintf("down%d", i), 4*before, channels, 1, shuffleOrder(before, 2), nil)
		}
		x = p.stage(x, i, c.Encoder)
	}
	x = p.finish(x, c.Encoder.Channels[len(c.Encoder.Channels)-1], c.LatentChannels, nil)
	return p.model("latent", x)
}

// pocket is one half of the autoencoder in the making.
type pocket struct {
	*layers.Net
	side   string // "encoder" or "decoder", the prefix of its tensors
	taps   bool
	states []graph.T
}

func newPocket(side string, c PocketConfig, w weights.Source, o Options) (*pocket, error) {
	if err := weights.Check("pocket autoencoder", w, c.Tensors(), nil); err != nil {
		return nil, err
	}
	return &pocket{Net: layers.New(side, weights.NewReader(w), o.Storage, c.Eps), side: side, taps: o.Taps}, nil
}

func (p *pocket) model(output string, x graph.T) (*graph.Model, error) {
	p.B.Output(output, x)
	if p.taps {
		for i, s := range p.states {
			p.B.Output(fmt.Sprintf("block%d", i+1), s)
		}
	}
	return p.Model()
}

// conv is a k×k convolution with bias and zero padding. inOrder and outOrder
// permute its channels (see shuffleOrder); nil leaves them.
func (p *pocket) conv(x graph.T, name string, in, out, k int, inOrder, outOrder []int) graph.T {
	full := p.side + "." + name
	w := layers.OutputLast(p.W.Get(full+".weight", out, in, k, k), out, in, k)
	bias := p.W.Get(full+".bias", out)
	if inOrder != nil && !weights.IsBlank(w) {
		for at := 0; at < len(w); at += in {
			copy(w[at:at+in], permute(w[at:at+in], inOrder, 1))
		}
	}
	if outOrder != nil {
		w, bias = permute(w, outOrder, k*k*in), permute(bias, outOrder, 1)
	}
	weight := p.K.Matrix(name+".weight", w, out, k, k, in)
	return p.B.Named(p.B.Conv2D(x, weight, p.K.Exact(name+".bias", bias, out), 1, graph.Same, graph.ActNone), name)
}

// active is SiLU(RMSNorm(x)·weight), the norm over the channels of each pixel.
func (p *pocket) active(x graph.T, name string, channels int) graph.T {
	return p.SiLU(p.Scaled(name, p.RMSNorm(x), p.W.Get(p.side+"."+name+".weight", channels)))
}

// stage is a chain of residual blocks, x + conv2(active(conv1(active(x)))).
func (p *pocket) stage(x graph.T, i int, s PocketStages) graph.T {
	channels := s.Channels[i]
	for j := range s.Blocks[i] {
		name := fmt.Sprintf("block%d.%d.", i+1, j)
		h := p.conv(p.active(x, name+"norm1", channels), name+"conv1", channels, channels, 3, nil, nil)
		h = p.conv(p.active(h, name+"norm2", channels), name+"conv2", channels, channels, 3, nil, nil)
		x = p.B.Add(x, h)
	}
	p.states = append(p.states, x)
	return x
}

// finish is conv_out(active(x)).
func (p *pocket) finish(x graph.T, channels, out int, order []int) graph.T {
	return p.conv(p.active(x, "norm_out", channels), "conv_out", channels, out, 3, nil, order)
}
