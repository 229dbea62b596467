package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// scaleNorms keeps the squares of a norm within float16. For a power of two s,
//
//	x·rsqrt(mean(x²) + ε) = (s·x)·rsqrt(mean((s·x)²) + s²·ε)
//
// and float32 rounds both sides alike. It needs ranges (Quantization.Min and Max,
// from calibration) and leaves norms alone whose squares are small, or unknown.
var scaleNorms = pass("scale-norms", "the squares of a norm stay within float16, where the ranges say that they would not", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorMUL || !d.all(op, graph.Float32) {
		return false
	}
	for i, x := range op.Inputs {
		n, ok := d.norm(x, op.Inputs[1-i])
		if !ok {
			continue
		}
		s := n.scale()
		if s == 1 {
			return false
		}
		out := op.Outputs[0]
		y := d.scaled(x, "scaled", s)
		d.mulInto(x, d.number(out, float32(s)), y, graph.ActNone)
		squares := d.scaled(n.squares, "squares", s*s)
		d.mulInto(y, y, squares, graph.ActNone)
		mean := d.scaled(n.mean.Outputs[0], "mean", s*s)
		d.emit(schema.BuiltinOperatorMEAN, n.mean.Options, []int{squares, n.mean.Inputs[1]}, []int{mean})
		sum := d.scaled(n.sum, "sum", s*s)
		d.addInto(mean, d.number(out, float32(n.epsilon*s*s)), sum, graph.ActNone)
		root := d.scaled(n.root, "rsqrt", 1/s)
		d.emit(schema.BuiltinOperatorRSQRT, nil, []int{sum}, []int{root})
		d.mulInto(y, root, out, options[schema.MulOptionsT](op).FusedActivationFunction)
		return true
	}
	return false
})

// norm is x·rsqrt(mean(x²) + epsilon).
type norm struct {
	// squares, sum and root are tensors: x², mean + epsilon, and its rsqrt.
	squares, sum, root int
	mean               graph.Op
	epsilon            float64
	// most is the largest square that calibration saw; 0 for none.
	most float64
}

// norm recognises the inverse root of x's mean square.
func (d *draft) norm(x, root int) (n norm, ok bool) {
	inverse := d.maker(root)
	if inverse == nil || inverse.Code != schema.BuiltinOperatorRSQRT {
		return n, false
	}
	n.root, n.sum = root, inverse.Inputs[0]
	add := d.maker(n.sum)
	if add == nil || add.Code != schema.BuiltinOperatorADD || options[schema.AddOptionsT](add).FusedActivationFunction != graph.ActNone {
		return n, false
	}
	for i, t := range add.Inputs {
		epsilon, constant := d.constant(add.Inputs[1-i])
		mean := d.maker(t)
		if !constant || len(epsilon.Data) != 4 || epsilon.Type != graph.Float32 || mean == nil || mean.Code != schema.BuiltinOperatorMEAN {
			continue
		}
		square := d.maker(mean.Inputs[0])
		switch {
		case square == nil:
			return n, false
		case square.Code == schema.BuiltinOperatorSQUARE && square.Inputs[0] == x:
		case square.Code == schema.BuiltinOperatorMUL && square.Inputs[0] == x && square.Inputs[1] == x && options[schema.MulOptionsT](square).FusedActivationFunction == graph.ActNone:
		default:
			return n, false
		}
		n.mean, n.squares, n.epsilon = *mean, mean.Inputs[0], float64(graph.View[float32](epsilon.Data)[0])
		if q := d.tensor(n.squares).Quantization; q != nil && len(q.Max) == 1 {
			n.most = float64(q.Max[0])
		}
		return n, true
	}
	return n, false
}

const (
	// largestHalf is the largest float16.
	largestHalf = 65504
	// margin is how much larger values may become than calibration saw.
	margin = 4
	// wanted is where the largest x lies after scaling: its square, and a mean
	// of many, are far from both ends of float16.
	wanted = 8
)

// scale is the power of two to scale by; 1 to leave it.
func (n norm) scale() float64 {
	if !(n.most*margin > largestHalf) || math.IsInf(n.most, 0) {
		return 1
	}
	return math.Exp2(math.Floor(math.Log2(wanted / math.Sqrt(n.most))))
}

// scaled adds a tensor like t whose values are s times t's.
func (d *draft) scaled(t int, hint string, s float64) int {
	y := d.like(t, hint)
	if q := d.tensor(t).Quantization; q != nil && len(q.Min) == 1 && len(q.Max) == 1 {
		d.tensor(y).Quantization = &graph.Quantization{Min: []float32{q.Min[0] * float32(s)}, Max: []float32{q.Max[0] * float32(s)}}
	}
	return y
}
