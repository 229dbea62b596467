package flux

import (
	"fmt"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// Progressive token downsampling: between two single blocks the grid of image
// tokens is halved in each direction, and doubled again behind them, by small
// convolutional networks. A ResNet block is
//
//	x + conv2(silu(norm(conv1(silu(norm(x))))·(1 + scale) + shift))
//
// with LayerNorm over the channels, as everywhere in the transformer, and 3×3
// convolutions. NanoFLUX's notes give the blocks and their order, not the norm.

// DownsamplerTensors lists the tensors of a downsampler of tokens of that width:
// a ResNet block and a 3×3 convolution of stride 2.
func DownsamplerTensors(width int) []weights.Spec {
	return convolutions(width, "block.conv1", "block.conv2", "conv")
}

// UpsamplerTensors lists the tensors of an upsampler: a ResNet block, doubling
// (bilinear), a 3×3 convolution, and another ResNet block.
func UpsamplerTensors(width int) []weights.Spec {
	return convolutions(width, "block1.conv1", "block1.conv2", "conv", "block2.conv1", "block2.conv2")
}

func convolutions(width int, names ...string) (list []weights.Spec) {
	for _, name := range names {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: []int{width, width, kernel, kernel}},
			weights.Spec{Name: name + ".bias", Shape: []int{width}})
	}
	return list
}

const kernel = 3

// BuildDownsampler makes the graph of a downsampler for a grid of rows × columns
// tokens, both even, batch 1:
//
//	inputs   tokens     float32 [1, rows·columns, width]
//	         modulation float32 [1, 2, width]: the block's shift and 1 + scale
//	output   tokens     float32 [1, rows/2·columns/2, width]
//
// Errors wrap weights.ErrWeights or config.ErrConfig.
func BuildDownsampler(width, rows, columns int, w weights.Source, o Options) (*graph.Model, error) {
	if rows%2 != 0 || columns%2 != 0 {
		return nil, fmt.Errorf("%w: a grid of %d × %d tokens cannot be halved; both must be even", config.ErrConfig, rows, columns)
	}
	return buildResampler("downsampler", DownsamplerTensors(width), 1, width, rows, columns, w, o, func(r *resampler, x graph.T) graph.T {
		return r.conv("conv", r.block("block", 0, x), 2)
	})
}

// BuildUpsampler makes the graph of an upsampler for a grid of rows × columns
// tokens, batch 1:
//
//	inputs   tokens     float32 [1, rows·columns, width]
//	         modulation float32 [1, 4, width]: shift and 1 + scale of each block
//	output   tokens     float32 [1, 2·rows·2·columns, width]
//
// Errors wrap weights.ErrWeights or config.ErrConfig.
func BuildUpsampler(width, rows, columns int, w weights.Source, o Options) (*graph.Model, error) {
	return buildResampler("upsampler", UpsamplerTensors(width), 2, width, rows, columns, w, o, func(r *resampler, x graph.T) graph.T {
		x = r.B.ResizeBilinear(r.block("block1", 0, x), 2*rows, 2*columns, false, true)
		return r.block("block2", 1, r.conv("conv", x, 1))
	})
}

type resampler struct {
	*layers.Net
	width int
	// rows are the modulation's, each [1, 1, width].
	rows []graph.T
}

func buildResampler(name string, want []weights.Spec, blocks, width, rows, columns int, w weights.Source, o Options, body func(*resampler, graph.T) graph.T) (*graph.Model, error) {
	if err := (Shape{Rows: rows, Columns: columns, TextTokens: 1}).check(); err != nil {
		return nil, err
	}
	if err := weights.Check(name, w, want, nil); err != nil {
		return nil, err
	}
	r := &resampler{Net: layers.New(name, weights.NewReader(w), o.Storage, normEps), width: width}
	tokens := r.B.Input("tokens", graph.Float32, 1, rows*columns, width)
	modulation := r.B.Input("modulation", graph.Float32, 1, 2*blocks, width)
	r.rows = r.B.Split(modulation, 1, 2*blocks)
	x := body(r, r.B.Reshape(tokens, 1, rows, columns, width))
	if shape := r.B.Shape(x); len(shape) == 4 {
		x = r.B.Reshape(x, 1, shape[1]*shape[2], width)
	}
	r.B.Output("tokens", x)
	return r.Model()
}

// block is ResNet block number i of the module; see the top.
func (r *resampler) block(name string, i int, x graph.T) graph.T {
	h := r.conv(name+".conv1", r.SiLU(r.LayerNorm(x)), 1)
	h = r.B.Add(r.B.Mul(r.LayerNorm(h), r.rows[2*i+1]), r.rows[2*i])
	return r.B.Add(x, r.conv(name+".conv2", r.SiLU(h), 1))
}

// conv is a 3×3 convolution with bias and zero padding. With stride 2 and an even
// grid the padding is below and to the right, as in diffusers' Downsample2D.
func (r *resampler) conv(name string, x graph.T, stride int) graph.T {
	w := layers.OutputLast(r.W.Get(name+".weight", r.width, r.width, kernel, kernel), r.width, r.width, kernel)
	weight := r.K.Matrix(name+".weight", w, r.width, kernel, kernel, r.width)
	bias := r.K.Exact(name+".bias", r.W.Get(name+".bias", r.width), r.width)
	return r.B.Named(r.B.Conv2D(x, weight, bias, stride, graph.Same, graph.ActNone), name)
}
