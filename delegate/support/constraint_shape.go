package support

import (
	"slices"
	"strconv"

	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

// dim OPERANDS DIMENSION NUMBERS: the size of a dimension.
func dim(_ *parser, args []string) (predicate, error) {
	if err := words(args, 3); err != nil {
		return nil, err
	}
	d, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[2])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if n := o.dim(d); !want.has(n) {
			return delegate.Refuse(delegate.ReasonShape, "dimension %d of %v is %d; takes %v", d, o, n, want)
		}
		return nil
	})
}

// elements OPERANDS NUMBERS: how many elements they have.
func elements(_ *parser, args []string) (predicate, error) {
	if err := words(args, 2); err != nil {
		return nil, err
	}
	want, err := parseNumbers(args[1])
	if err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if n := o.elements(); !want.has(n) {
			return delegate.Refuse(delegate.ReasonShape, "%v has %d elements; takes %v", o, n, want)
		}
		return nil
	})
}

// nonzero-dims OPERANDS: no dimension has size 0.
func nonzeroDims(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if slices.Contains(o.tensor.Shape, 0) {
			return delegate.Refuse(delegate.ReasonShape, "%v has the shape %v; it must not be empty", o, o.tensor.Shape)
		}
		return nil
	})
}

// same-shape OPERANDS: all have the shape of the first.
func sameShape(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	r, err := parseRefs(args[0])
	return func(x *operation) *delegate.Refusal {
		list := r.of(x)
		for _, o := range list {
			if a, b := list[0].tensor.Shape, o.tensor.Shape; !slices.Equal(a, b) {
				return delegate.Refuse(delegate.ReasonShape, "%v has the shape %v and %v %v; they must be the same", list[0], a, o, b)
			}
		}
		return nil
	}, err
}

// square-output: the output [batch, height, width, channels] is as high as wide.
func squareOutput(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		if x.output().dim(1) == x.output().dim(2) {
			return nil
		}
		return delegate.Refuse(delegate.ReasonShape, "the output is %d high and %d wide; they must be the same", x.output().dim(1), x.output().dim(2))
	}, words(args, 0)
}

// no-groups: a convolution's filters see all channels of the input. Filters are
// [out, height, width, in], those of CONV_3D [depth, height, width, in, out].
func noGroups(p *parser, args []string) (predicate, error) {
	filterDim := 3
	inputDim := 3
	if p.code == schema.BuiltinOperatorCONV_3D {
		inputDim = 4
	}
	return func(x *operation) *delegate.Refusal {
		if have, seen := x.input(0).dim(inputDim), x.input(1).dim(filterDim); have != seen {
			return delegate.Refuse(delegate.ReasonShape, "%d channels and filters of %d: a grouped convolution; takes one group", have, seen)
		}
		return nil
	}, words(args, 0)
}

// single-batch OPERANDS: all dimensions but the last are 1.
func singleBatch(_ *parser, args []string) (predicate, error) {
	if err := words(args, 1); err != nil {
		return nil, err
	}
	return each(args[0], func(_ *operation, o *operand) *delegate.Refusal {
		if o.rank() == 0 || o.elements() != o.dim(o.rank()-1) {
			return delegate.Refuse(delegate.ReasonShape, "%v has the shape %v; every size but the last must be 1", o, o.tensor.Shape)
		}
		return nil
	})
}

// no-batch-broadcast: both inputs have the same dimensions but the last two.
func noBatchBroadcast(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		if x.input(0).absent() || x.input(1).absent() {
			return nil
		}
		a, b := x.input(0).tensor.Shape, x.input(1).tensor.Shape
		if len(a) == len(b) && len(a) >= 2 && slices.Equal(a[:len(a)-2], b[:len(b)-2]) {
			return nil
		}
		return delegate.Refuse(delegate.ReasonShape, "shapes %v and %v; all but the last two sizes must be the same", a, b)
	}, words(args, 0)
}

// coreml-broadcast: what Core ML stretches in ADD and MUL. With the shapes
// filled up to [batch, height, width, channels] in front: batches are equal or
// one input is a constant of one element; height and width are equal or both 1
// in one input; channels are equal or 1 in one.
func coreMLBroadcast(_ *parser, args []string) (predicate, error) {
	return func(x *operation) *delegate.Refusal {
		if x.input(0).absent() || x.input(1).absent() {
			return nil
		}
		in := [2]*operand{x.input(0), x.input(1)}
		var s [2][4]int
		for i, o := range in {
			s[i] = [4]int{1, 1, 1, 1}
			if o.rank() <= 4 {
				copy(s[i][4-o.rank():], o.tensor.Shape)
			}
		}
		single := func(i int) bool { return in[i].constant && in[i].elements() == 1 }
		flat := func(i int) bool { return s[i][1] == 1 && s[i][2] == 1 }
		what := ""
		switch a, b := s[0], s[1]; {
		case a[0] != b[0] && !single(0) && !single(1):
			what = "batches must be equal"
		case (a[1] != b[1] || a[2] != b[2]) && !flat(0) && !flat(1):
			what = "height and width must be equal, or both 1"
		case a[3] != b[3] && a[3] != 1 && b[3] != 1:
			what = "channels must be equal, or 1"
		default:
			return nil
		}
		return delegate.Refuse(delegate.ReasonShape, "shapes %v and %v; %s", in[0].tensor.Shape, in[1].tensor.Shape, what)
	}, words(args, 0)
}
