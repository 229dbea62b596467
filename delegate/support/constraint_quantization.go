package support

import (
	"math"
	"slices"
	"strconv"

	"nanoflux/delegate"
	"nanoflux/graph"
)

func integer8(t graph.TensorType) bool { return t == graph.Int8 || t == graph.Uint8 }

// mixed is the reason for refusing two types that differ.
func mixed(a, b graph.TensorType) delegate.Reason {
	if a == graph.Float32 && integer8(b) {
		return delegate.ReasonHybrid
	}
	return delegate.ReasonType
}

// not-hybrid OPERAND: these weights are not 8-bit integers while input 0 is
// FLOAT32.
func notHybrid(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(x *operation, o *operand) *delegate.Refusal {
		if x.input(0).absent() || x.input(0).tensor.Type != graph.Float32 || !integer8(o.tensor.Type) {
			return nil
		}
		return delegate.Refuse(delegate.ReasonHybrid, "FLOAT32 activations with %v weights; takes both in one type", o.tensor.Type)
	})
}

// per-tensor OPERANDS: at most one scale.
func perTensor(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if n := o.scales(); n > 1 {
			return delegate.Refuse(delegate.ReasonQuantization, "%v has a scale for each of %d channels; takes one for the tensor", o, n)
		}
		return nil
	})
}

// channels-along OPERANDS DIMENSION: where there is a scale for each channel,
// channels are this dimension, and their zero points 0.
func channelsAlong(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	d, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		switch q := o.tensor.Quantization; {
		case o.scales() <= 1:
		case q.Dimension != d:
			return delegate.Refuse(delegate.ReasonQuantization, "the scales of %v run along dimension %d; takes %d", o, q.Dimension, d)
		case slices.ContainsFunc(q.ZeroPoint, func(z int64) bool { return z != 0 }):
			return delegate.Refuse(delegate.ReasonQuantization, "%v has zero points other than 0; takes 0", o)
		}
		return nil
	})
}

// zero-point OPERANDS N: the zero point of a tensor with one scale.
func zeroPoint(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	want, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if _, z := o.quantized(); z != want {
			return delegate.Refuse(delegate.ReasonQuantization, "%v has the zero point %d; takes %d", o, z, want)
		}
		return nil
	})
}

// positive-scale OPERANDS: there is one scale, above 0.
func positiveScale(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if s, _ := o.quantized(); s <= 0 {
			return delegate.Refuse(delegate.ReasonQuantization, "%v has no scale of its own above 0", o)
		}
		return nil
	})
}

// same-quantization OPERANDS: all have the scale and zero point of the first.
func sameQuantization(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	return func(x *operation) *delegate.Refusal {
		list := r.of(x)
		for _, o := range list {
			s0, z0 := list[0].quantized()
			if s, z := o.quantized(); s != s0 || z != z0 {
				return delegate.Refuse(delegate.ReasonQuantization, "%v has scale %v, zero point %d and %v %v, %d; they must be the same", list[0], s0, z0, o, s, z)
			}
		}
		return nil
	}, err
}

// quantization OPERANDS SCALE ZEROPOINT: these and no others.
func quantization(_ *parser, args []string) (predicate, error) {
	if err := words(args, 3); err != nil {
		return nil, err
	}
	scale, err := strconv.ParseFloat(args[1], 32)
	if err != nil {
		return nil, err
	}
	zero, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if s, z := o.quantized(); s != float32(scale) || z != zero {
			return delegate.Refuse(delegate.ReasonQuantization, "%v has scale %v, zero point %d; takes %v, %d", o, s, z, scale, zero)
		}
		return nil
	})
}

// restricted-scales: input scale × weight scale < output scale.
func restrictedScales(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		in, _ := x.input(0).quantized()
		weights, _ := x.input(1).quantized()
		out, _ := x.output().quantized()
		if in*weights < out {
			return nil
		}
		return delegate.Refuse(delegate.ReasonQuantization, "input scale %v × weight scale %v is not below the output scale %v", in, weights, out)
	}, words(args, 0)
}

// scale-ratio OPERANDS LOW HIGH: the product of their scales, divided by that
// of output 0, is from 2^LOW up to 2^HIGH. Not asked of tensors without scale.
func scaleRatio(_ *parser, args []string) (predicate, error) {
	if err := words(args, 3); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	if err != nil {
		return nil, err
	}
	low, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	high, err := strconv.Atoi(args[2])
	return func(x *operation) *delegate.Refusal {
		out, _ := x.output().quantized()
		ratio := 1 / float64(out)
		for _, o := range r.of(x) {
			s, _ := o.quantized()
			ratio *= float64(s)
		}
		if out == 0 || ratio == 0 || ratio >= math.Ldexp(1, low) && ratio < math.Ldexp(1, high) {
			return nil
		}
		return delegate.Refuse(delegate.ReasonQuantization, "input scale divided by output scale is %v; takes 2^%d to 2^%d", ratio, low, high)
	}, err
}

// quantized OPERANDS TYPES: those of these types have a scale.
func quantized(p *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	set, err := p.typeSet(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if set.index(o.tensor.Type) >= 0 && o.scales() == 0 {
			return delegate.Refuse(delegate.ReasonQuantization, "%v is %v without a scale", o, o.tensor.Type)
		}
		return nil
	})
}

// soc-types OPERANDS: chips before HTP v69 compute integers only.
func socTypes(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	const firstWithFloat = 69
	return each(args[0], func(x *operation, o *operand) *delegate.Refusal {
		if t := o.tensor.Type; x.soc != nil && x.soc.HTP < firstWithFloat && (t == graph.Float32 || t == graph.Float16) {
			return delegate.Refuse(delegate.ReasonSoC, "%v is %v; the HTP v%d of %s takes integers, from v%d on it takes floats", o, t, x.soc.HTP, x.soc.Model, firstWithFloat)
		}
		return nil
	})
}
