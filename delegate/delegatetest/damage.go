package delegatetest

import (
	"math/rand/v2"
	"reflect"
	"slices"

	"nanoflux/graph"
)

// Damaged is a copy of a model with a few random changes of what a file can say:
// shapes, types, options, numbers in constants, operands.
func Damaged(r *rand.Rand, m *graph.Model) *graph.Model {
	c := *m
	c.Buffers = slices.Clone(m.Buffers)
	c.Subgraphs = slices.Clone(m.Subgraphs)
	g := &c.Subgraphs[0]
	g.Tensors, g.Ops = slices.Clone(g.Tensors), slices.Clone(g.Ops)
	for range 1 + r.IntN(3) {
		t := &g.Tensors[r.IntN(len(g.Tensors))]
		op := &g.Ops[r.IntN(len(g.Ops))]
		switch r.IntN(7) {
		case 0, 1: // a size
			if len(t.Shape) > 0 {
				t.Shape = slices.Clone(t.Shape)
				t.Shape[r.IntN(len(t.Shape))] = badNumber(r)
			}
		case 2: // a number of dimensions
			t.Shape = append(slices.Clone(t.Shape), 1)
			if n := len(t.Shape); n > 1 && r.IntN(2) == 0 {
				t.Shape = t.Shape[:n-2]
			}
		case 3: // a type
			t.Type = []graph.TensorType{graph.Float32, graph.Int32, graph.Int64, graph.Int8, graph.Bool, graph.Float16, graph.Int16}[r.IntN(7)]
		case 4: // a number in a constant
			if b := c.Buffers[t.Buffer]; len(b) >= 4 && t.Type == graph.Int32 {
				b = slices.Clone(b)
				graph.View[int32](b)[r.IntN(len(b)/4)] = int32(badNumber(r))
				c.Buffers[t.Buffer] = b
			}
		case 5: // an operand
			if len(op.Inputs) > 0 {
				op.Inputs = slices.Clone(op.Inputs)
				op.Inputs[r.IntN(len(op.Inputs))] = r.IntN(len(g.Tensors)+1) - 1
				if r.IntN(4) == 0 {
					op.Inputs = op.Inputs[:len(op.Inputs)-1]
				}
			}
		case 6: // an option
			op.Options = damagedOptions(r, op.Options)
		}
	}
	return &c
}

// badNumber is one that is likely to be wrong.
func badNumber(r *rand.Rand) int {
	return []int{0, 0, 1, 1, 2, 3, 4, 5, -1, -1, -2, 7, 33, 1 << 10, 1 << 20, 1<<31 - 1, -1 << 31}[r.IntN(17)]
}

// damagedOptions changes one field of an options struct.
func damagedOptions(r *rand.Rand, options any) any {
	v := reflect.ValueOf(options)
	if options == nil || v.IsNil() || v.Elem().NumField() == 0 {
		return nil
	}
	c := reflect.New(v.Elem().Type())
	c.Elem().Set(v.Elem())
	switch f := c.Elem().Field(r.IntN(v.Elem().NumField())); f.Kind() {
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Int8:
		f.SetInt(int64(r.IntN(6)))
	case reflect.Int32:
		f.SetInt(int64(badNumber(r)))
	}
	return c.Interface()
}
