package vae

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// BuildKLDecoder makes the graph from latent to picture of FLUX's autoencoder,
// batch 1, channels last:
//
//	input   latent float32 [1, rows, columns, LatentChannels]
//	output  image  float32 [1, rows·d, columns·d, ImageChannels], d = Downsample()
//
// The latent is the autoencoder's own: what the denoiser made, divided by
// Scale, plus Shift. The picture is in −1…1, not clamped. Taps adds conv_in,
// mid_attn, mid and up0…. Errors wrap weights.ErrWeights or config.ErrConfig.
func BuildKLDecoder(c KLConfig, w weights.Source, rows, columns int, o Options) (*graph.Model, error) {
	const mostSide = 1 << 11
	if rows < 1 || columns < 1 || rows > mostSide || columns > mostSide {
		return nil, fmt.Errorf("%w: a latent of %d × %d; each side must be from 1 to %d", config.ErrConfig, rows, columns, mostSide)
	}
	encoder := func(name string) bool { return strings.HasPrefix(name, "encoder.") }
	if err := weights.Check("KL autoencoder", w, c.DecoderTensors(), encoder); err != nil {
		return nil, err
	}
	k := &kl{Net: layers.New("decoder", weights.NewReader(w), o.Storage, klEps), c: c, taps: o.Taps}
	k.build(rows, columns)
	return k.Model()
}

type kl struct {
	*layers.Net
	c      KLConfig
	taps   bool
	tapped []tap
}

// tap is an extra output, added behind the model's own.
type tap struct {
	name string
	x    graph.T
}

func (k *kl) tap(name string, x graph.T) {
	if k.taps {
		k.tapped = append(k.tapped, tap{name, x})
	}
}

func (k *kl) build(rows, columns int) {
	top := k.c.Channels[len(k.c.Channels)-1]
	x := k.B.Input("latent", graph.Float32, 1, rows, columns, k.c.LatentChannels)
	x = k.conv(x, "decoder.conv_in", k.c.LatentChannels, top, 3)
	k.tap("conv_in", x)
	middle := k.c.middle()
	x = k.block(x, middle[0])
	x = k.attention(x, "decoder.mid_block.attentions.0", top)
	x = k.block(x, middle[1])
	k.tap("mid", x)
	stages := k.c.stages()
	for i, blocks := range stages {
		for _, b := range blocks {
			x = k.block(x, b)
		}
		if shape := k.B.Shape(x); i < len(stages)-1 && len(shape) == 4 {
			x = k.B.ResizeNearestNeighbor(x, 2*shape[1], 2*shape[2], false, false)
			x = k.conv(x, fmt.Sprintf("decoder.up_blocks.%d.upsamplers.0.conv", i), shape[3], shape[3], 3)
		}
		k.tap(fmt.Sprintf("up%d", i), x)
	}
	x = k.SiLU(k.groupNorm(x, "decoder.conv_norm_out", k.c.Channels[0]))
	k.B.Output("image", k.conv(x, "decoder.conv_out", k.c.Channels[0], k.c.ImageChannels, 3))
	for _, t := range k.tapped {
		k.B.Output(t.name, t.x)
	}
}

// conv is a k×k convolution with bias and zero padding.
func (k *kl) conv(x graph.T, name string, in, out, size int) graph.T {
	w := layers.OutputLast(k.W.Get(name+".weight", out, in, size, size), out, in, size)
	as := strings.TrimPrefix(name, "decoder.")
	weight := k.K.Matrix(as+".weight", w, out, size, size, in)
	bias := k.K.Exact(as+".bias", k.W.Get(name+".bias", out), out)
	return k.B.Named(k.B.Conv2D(x, weight, bias, 1, graph.Same, graph.ActNone), as)
}

// groupNorm normalises over all pixels and the channels of a group, then scales and
// shifts each channel. The means of a group are the means of its channels' means, so
// that the pixels keep the layout of a picture: with a group's few channels in the
// last dimension, as they would be for one mean of all, NPUs fill up most of their
// memory with padding (five dimensions, which would keep both, are one too many).
func (k *kl) groupNorm(x graph.T, name string, channels int) graph.T {
	shape := k.B.Shape(x)
	if len(shape) != 4 { // after an error
		return x
	}
	b := k.B
	centred := b.Sub(x, k.groupMean(x, channels))
	as := strings.TrimPrefix(name, "decoder.")
	inverse := k.InverseRoot(k.groupMean(b.Mul(centred, centred), channels))
	n := b.Mul(centred, k.Scaled(as, inverse, k.W.Get(name+".weight", channels)))
	return b.Add(n, k.K.Exact(as+".bias", k.W.Get(name+".bias", channels), channels))
}

// groupMean is the mean of each group over all pixels of [1, rows, columns, channels],
// for each channel of the group: [1, 1, 1, channels].
func (k *kl) groupMean(x graph.T, channels int) graph.T {
	b, groups := k.B, k.c.Groups
	means := b.Reshape(b.Mean(x, []int{1, 2}, true), 1, 1, groups, channels/groups)
	ones := k.K.Exact(fmt.Sprintf("group.%d", channels), slices.Repeat([]float32{1}, channels/groups), 1, 1, 1, channels/groups)
	return b.Reshape(b.Mul(b.Mean(means, []int{3}, true), ones), 1, 1, 1, channels)
}

// block is x + conv2(silu(norm2(conv1(silu(norm1(x)))))), with a 1×1
// convolution on the shortcut where the channels change.
func (k *kl) block(x graph.T, b klBlock) graph.T {
	h := k.conv(k.SiLU(k.groupNorm(x, b.name+".norm1", b.in)), b.name+".conv1", b.in, b.out, 3)
	h = k.conv(k.SiLU(k.groupNorm(h, b.name+".norm2", b.out)), b.name+".conv2", b.out, b.out, 3)
	if b.in != b.out {
		x = k.conv(x, b.name+".conv_shortcut", b.in, b.out, 1)
	}
	return k.B.Add(x, h)
}

// attention is x + out(softmax(q·kᵀ/√channels)·v) over all pixels, one head.
// The division is in the queries' weights.
func (k *kl) attention(x graph.T, name string, channels int) graph.T {
	shape := k.B.Shape(x)
	if len(shape) != 4 { // after an error
		return x
	}
	b := k.B
	n := b.Reshape(k.groupNorm(x, name+".group_norm", channels), 1, shape[1]*shape[2], channels)
	as := strings.TrimPrefix(name, "decoder.") + "."
	linear := func(layer string, x graph.T, factor float64) graph.T {
		w, bias := k.W.Get(name+"."+layer+".weight", channels, channels), k.W.Get(name+"."+layer+".bias", channels)
		return k.Linear(as+layer, x, times(w, factor), times(bias, factor), graph.ActNone)
	}
	scores := b.BatchMatMul(linear("to_q", n, 1/math.Sqrt(float64(channels))), linear("to_k", n, 1), false, true)
	mixed := b.BatchMatMul(b.Softmax(scores), linear("to_v", n, 1), false, false)
	x = b.Add(x, b.Reshape(linear("to_out.0", mixed, 1), shape...))
	k.tap("mid_attn", x)
	return x
}

// times is values·factor, or values themselves where that is the same.
func times(values []float32, factor float64) []float32 {
	if factor == 1 || weights.IsBlank(values) {
		return values
	}
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(float64(v) * factor)
	}
	return out
}
