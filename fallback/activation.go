package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
)

// activation is applied to values in place; nil for none.
type activation func(x []float32)

// fusedActivation is the function of an operator's fused activation.
func fusedActivation(a graph.Activation) activation {
	switch a {
	case graph.ActRelu:
		return clampTo(0, infinity)
	case graph.ActRelu6:
		return clampTo(0, 6)
	case graph.ActReluN1To1:
		return clampTo(-1, 1)
	case graph.ActTanh:
		return func(x []float32) { vectors.Tanh(x, x) }
	}
	return nil
}

func clampTo(low, high float32) activation {
	return func(x []float32) { vectors.Clamp(x, x, low, high) }
}

// fusable refuses SIGN_BIT, which no TensorFlow Lite kernel fuses either, and
// numbers that stand for no activation.
func fusable(a graph.Activation) *delegate.Refusal {
	switch a {
	case graph.ActNone, graph.ActRelu, graph.ActReluN1To1, graph.ActRelu6, graph.ActTanh:
		return nil
	}
	return delegate.Refuse(delegate.ReasonOption, "fused activation %v", a)
}
