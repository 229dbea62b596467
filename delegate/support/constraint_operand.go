package support

import (
	"fmt"

	"nanoflux/delegate"
)

// each makes a predicate that looks at operands one by one.
func each(s string, check func(x *operation, o *operand) *delegate.Refusal) (predicate, error) {
	r, err := parseRefs(s)
	if err != nil {
		return nil, err
	}
	return func(x *operation) *delegate.Refusal {
		for _, o := range r.of(x) {
			if refusal := check(x, o); refusal != nil {
				return refusal
			}
		}
		return nil
	}, nil
}

// words checks how many arguments there are.
func words(args []string, n int) error {
	if len(args) != n {
		return fmt.Errorf("%d arguments, must be %d", len(args), n)
	}
	return nil
}

// inputs NUMBERS: how many inputs there are, left out ones counted.
func inputs(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[0])
	return func(x *operation) *delegate.Refusal {
		if n := len(x.in); !want.has(n) {
			return delegate.Refuse(delegate.ReasonOperand, "%d inputs; takes %v", n, want)
		}
		return nil
	}, err
}

// outputs NUMBERS: how many outputs there are.
func outputs(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[0])
	return func(x *operation) *delegate.Refusal {
		if n := len(x.out); !want.has(n) {
			return delegate.Refuse(delegate.ReasonOperand, "%d outputs; takes %v", n, want)
		}
		return nil
	}, err
}

// present OPERAND: an optional operand is there.
func present(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	return func(x *operation) *delegate.Refusal {
		if len(r.of(x)) == 0 {
			return delegate.Refuse(delegate.ReasonOperand, "%v is left out; it must be there", &operand{output: r[0].output, number: r[0].number})
		}
		return nil
	}, err
}

// const OPERANDS: their values are in the file.
func constant(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		switch {
		case o.constant:
			return nil
		case o.stored != nil:
			return delegate.Refuse(delegate.ReasonConstant, "%v must be a constant and is made by DEQUANTIZE of %v, through which the delegate does not look", o, o.stored.Type)
		}
		return delegate.Refuse(delegate.ReasonConstant, "%v must be a constant and is computed", o)
	})
}

// not-const OPERANDS: their values are computed.
func notConstant(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if !o.constant {
			return nil
		}
		return delegate.Refuse(delegate.ReasonConstant, "%v is a constant and must be computed", o)
	})
}

// scalar-const OPERANDS: those of rank 0 are constants.
func scalarConstant(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if o.rank() > 0 || o.constant {
			return nil
		}
		return delegate.Refuse(delegate.ReasonConstant, "%v is a scalar and computed; a scalar must be a constant", o)
	})
}

// type OPERANDS TYPES: what element types they may have.
func types(p *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	set, err := p.typeSet(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], set.check)
}

// not-type OPERANDS TYPES: what element types they must not have.
func notType(p *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	set, err := p.typeSet(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if set.index(o.tensor.Type) < 0 {
			return nil
		}
		return delegate.Refuse(delegate.ReasonType, "%v is %v; takes any other type", o, o.tensor.Type)
	})
}

// same-type OPERANDS: all have one type.
func sameType(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	return func(x *operation) *delegate.Refusal {
		list := r.of(x)
		for _, o := range list {
			if a, b := list[0].tensor.Type, o.tensor.Type; a != b {
				return delegate.Refuse(mixed(a, b), "%v is %v and %v is %v; they must have one type", list[0], a, o, b)
			}
		}
		return nil
	}, err
}

// rank OPERANDS NUMBERS: how many dimensions they may have.
func rank(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if n := o.rank(); !want.has(n) {
			return delegate.Refuse(delegate.ReasonRank, "%v has rank %d; takes %v", o, n, want)
		}
		return nil
	})
}

// same-rank OPERANDS: all have as many dimensions as the first.
func sameRank(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	return func(x *operation) *delegate.Refusal {
		list := r.of(x)
		for _, o := range list {
			if a, b := list[0].rank(), o.rank(); a != b {
				return delegate.Refuse(delegate.ReasonRank, "%v has rank %d and %v rank %d; they must be the same", list[0], a, o, b)
			}
		}
		return nil
	}, err
}
