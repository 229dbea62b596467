package support

import (
	"math"
	"slices"

	"nanoflux/delegate"
)

// valuesOf calls check with the values of those operands that are integer
// constants. That an operand is a constant is another constraint.
func valuesOf(s string, check func(x *operation, o *operand, values []int64) *delegate.Refusal) (predicate, error) {
	return each(s, func(x *operation, o *operand) *delegate.Refusal {
		if v, ok := o.integers(); ok {
			return check(x, o, v)
		}
		return nil
	})
}

// values OPERANDS NUMBERS: every value of an integer constant.
func values(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[1])
	if err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(_ *operation, o *operand, values []int64) *delegate.Refusal {
		for _, v := range values {
			if !want.has(int(v)) {
				return delegate.Refuse(delegate.ReasonOption, "%v has the value %d; takes %v", o, v, want)
			}
		}
		return nil
	})
}

// nonzero-values OPERANDS: no value of an integer constant is 0.
func nonzeroValues(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(_ *operation, o *operand, values []int64) *delegate.Refusal {
		if slices.Contains(values, 0) {
			return delegate.Refuse(delegate.ReasonOption, "%v has a value 0; takes others", o)
		}
		return nil
	})
}

// fits-int32 OPERANDS: the values of an integer constant fit into INT32.
func fitsInt32(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(_ *operation, o *operand, values []int64) *delegate.Refusal {
		for _, v := range values {
			if v < math.MinInt32 || v > math.MaxInt32 {
				return delegate.Refuse(delegate.ReasonOption, "%v has the value %d, which does not fit into INT32", o, v)
			}
		}
		return nil
	})
}

// axes OPERANDS NUMBERS: the values are dimensions of input 0, counted from the
// front, or from the back when negative.
func axes(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[1])
	if err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(x *operation, _ *operand, values []int64) *delegate.Refusal {
		for _, v := range values {
			if v < 0 {
				v += int64(x.input(0).rank())
			}
			if !want.has(int(v)) {
				return delegate.Refuse(delegate.ReasonOption, "axis %d; takes %v", v, want)
			}
		}
		return nil
	})
}

// no-padding OPERANDS DIMENSIONS: the paddings [rank, 2] of these dimensions
// are 0.
func noPadding(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	dims, err := parseNumbers(args[1])
	if err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(_ *operation, _ *operand, values []int64) *delegate.Refusal {
		for i, v := range values {
			if v != 0 && dims.has(i/2) {
				return delegate.Refuse(delegate.ReasonOption, "dimension %d is padded by %d; takes no padding there", i/2, v)
			}
		}
		return nil
	})
}

// pooling-axes OPERAND: a reduction of [batch, height, width, channels] that is
// pooling: over width, or over height and width.
func poolingAxes(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return valuesOf(args[0], func(_ *operation, _ *operand, values []int64) *delegate.Refusal {
		var over [4]bool
		for _, v := range values {
			if v < 0 {
				v += 4
			}
			if v < 0 || v > 3 {
				return delegate.Refuse(delegate.ReasonOption, "axis %d of four", v)
			}
			over[v] = true
		}
		if over[2] && !over[0] && !over[3] {
			return nil
		}
		return delegate.Refuse(delegate.ReasonOption, "the axes are %v; takes 2, or 1 and 2", values)
	})
}
