//go:build tflite

package main

import (
	"fmt"
	"math/rand/v2"

	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// linear times fully-connected layers of the denoiser's size against oneDNN: the
// whole operator with bias, and for integers with requantization.
func (b *bench) linear() error {
	var peer *oneDNN
	for _, integers := range []bool{false, true} {
		for _, tokens := range []int{256, 512, 1280} {
			for _, layer := range [][2]int{{1536, 1536}, {1536, 6144}, {6144, 1536}} {
				name := fmt.Sprintf("linear %s %d tokens %d→%d", map[bool]string{false: "fp32", true: "int8"}[integers], tokens, layer[0], layer[1])
				if !b.wants(name) {
					continue
				}
				if peer == nil {
					var err error
					if peer, err = openOneDNN(b.threads); err != nil {
						b.skip("linear", err)
						return nil
					}
					fmt.Printf("# oneDNN uses %s\n", peer.isaName())
				}
				if err := b.linearLayer(name, peer, tokens, layer[0], layer[1], integers); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
	return nil
}

func (b *bench) linearLayer(name string, peer *oneDNN, tokens, in, out int, integers bool) error {
	m, err := linearModel(tokens, in, out, integers)
	if err != nil {
		return err
	}
	ours, err := runner(b.ctx, fallback.New(fallback.Options{Threads: b.threads}), m)
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := peer.matmul(tokens, in, out, integers)
	if err != nil {
		return err
	}
	x, y, err := b.paired(ours.run, theirs)
	if err != nil {
		return err
	}
	operations := 2 * float64(tokens) * float64(in) * float64(out)
	g := goal{atLeast: 0.95}
	if integers {
		g.atLeast = 0.9
	}
	b.line(name, x.rate(operations), y.rate(operations), y.typical()/x.typical(), g)
	return nil
}

// linearModel is one FULLY_CONNECTED.
func linearModel(tokens, in, out int, integers bool) (*graph.Model, error) {
	r := rand.New(rand.NewPCG(5, 6))
	b := graph.NewBuilder("linear")
	if !integers {
		w, bias := graph.NewArray(graph.Float32, out, in), graph.NewArray(graph.Float32, out)
		for i := range graph.View[float32](w.Data) {
			graph.View[float32](w.Data)[i] = float32(r.NormFloat64()) / 40
		}
		b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 1, tokens, in), b.Const("w", w), b.Const("bias", bias), graph.ActNone))
		return b.Model()
	}
	w, bias := graph.NewArray(graph.Int8, out, in), graph.NewArray(graph.Int32, out)
	for i := range w.Data {
		w.Data[i] = byte(int8(r.IntN(255) - 127))
	}
	weights := &graph.Quantization{Scale: make([]float32, out), ZeroPoint: make([]int64, out)}
	biases := &graph.Quantization{Scale: make([]float32, out), ZeroPoint: make([]int64, out)}
	for i := range weights.Scale {
		weights.Scale[i] = 0.001
		biases.Scale[i] = 0.001 * 0.02
	}
	x := b.QuantizedInput("x", graph.Int8, &graph.Quantization{Scale: []float32{0.02}, ZeroPoint: []int64{3}}, 1, tokens, in)
	y := b.Op(schema.BuiltinOperatorFULLY_CONNECTED, 4, &schema.FullyConnectedOptionsT{KeepNumDims: true},
		[]graph.T{x, b.QuantizedConst("w", w, weights), b.QuantizedConst("bias", bias, biases)},
		graph.Tensor{Name: "y", Type: graph.Int8, Shape: []int{1, tokens, out}, HasRank: true, Quantization: &graph.Quantization{Scale: []float32{0.1}, ZeroPoint: []int64{-4}}})
	b.Output("y", y[0])
	return b.Model()
}
