// Package layers has the few pieces that every model family here is made of:
// linear layers, norms and activations, written as operators that NPUs have.
//
// It knows formulas, and nothing of any architecture.
package layers

import (
	"nanoflux/graph"
	"nanoflux/models/weights"
)

// Net is a graph in the making: the builder, the weights that it reads and the
// constants that they become.
type Net struct {
	B *graph.Builder
	W *weights.Reader
	K *weights.Constants

	eps graph.T
}

// New starts a graph. eps is the epsilon of its norms.
func New(name string, w *weights.Reader, p weights.Policy, eps float64) *Net {
	b := graph.NewBuilder(name)
	n := &Net{B: b, W: w, K: weights.NewConstants(b, p)}
	n.eps = b.Scalar("epsilon", float32(eps))
	return n
}

// Model finishes the graph. The error is the first one met: of reading weights,
// of storing them, or of building.
func (n *Net) Model() (*graph.Model, error) {
	if err := n.W.Err(); err != nil {
		return nil, err
	}
	if err := n.K.Err(); err != nil {
		return nil, err
	}
	return n.B.Model()
}

// Linear is x·Wᵀ + bias for x [1, tokens, in] or [1, in], w [out, in] and
// bias [out]; nil stands for no bias. name names its constants.
func (n *Net) Linear(name string, x graph.T, w, bias []float32, act graph.Activation) graph.T {
	shape := n.B.Shape(x)
	if len(shape) == 0 { // after an error
		return x
	}
	in := shape[len(shape)-1]
	out := len(w) / in
	offset := graph.None
	if bias != nil {
		offset = n.K.Exact(name+".bias", bias, out)
	}
	return n.B.Named(n.B.FullyConnected(x, n.K.Matrix(name+".weight", w, out, in), offset, act), name)
}

// RMSNorm is x·rsqrt(mean(x²) + eps) over the last dimension. The reference
// multiplies by a weight after it; callers do so with Scaled, or fold the
// weight into something else.
func (n *Net) RMSNorm(x graph.T) graph.T {
	return n.B.Mul(x, n.InverseRoot(n.mean(n.B.Mul(x, x))))
}

// Scaled is x·weight with one weight for each channel.
func (n *Net) Scaled(name string, x graph.T, weight []float32) graph.T {
	return n.B.Mul(x, n.K.Exact(name+".weight", weight, len(weight)))
}

// LayerNorm is (x − mean(x))·rsqrt(var(x) + eps) over the last dimension, with
// the variance as the mean square of the difference, which does not cancel.
func (n *Net) LayerNorm(x graph.T) graph.T {
	centred := n.B.Sub(x, n.mean(x))
	return n.RMSNorm(centred)
}

// InverseRoot is rsqrt(x + eps).
func (n *Net) InverseRoot(x graph.T) graph.T {
	return n.B.Rsqrt(n.B.Add(x, n.eps))
}

// mean is over the last dimension, kept as size 1.
func (n *Net) mean(x graph.T) graph.T {
	return n.B.Mean(x, []int{len(n.B.Shape(x)) - 1}, true)
}

// SiLU is x·sigmoid(x).
func (n *Net) SiLU(x graph.T) graph.T {
	return n.B.Mul(x, n.B.Logistic(x))
}
