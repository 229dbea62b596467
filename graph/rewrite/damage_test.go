package rewrite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"nanoflux/fallback"
	"nanoflux/graph"
)

// spoiled is a copy of m with a few random changes that a file can have: sizes,
// types, operands, options, numbers in small constants.
func spoiled(r *rand.Rand, m *graph.Model) (out *graph.Model, lies bool) {
	out = clone(m)
	g := &out.Subgraphs[0]
	numbers := []int{-1, 0, 0, 1, 1, 2, 3, 4, 6, 24, 1 << 16, math.MaxInt32}
	number := func() int { return numbers[r.IntN(len(numbers))] }
	for range 1 + r.IntN(3) {
		x, op := &g.Tensors[r.IntN(len(g.Tensors))], &g.Ops[r.IntN(len(g.Ops))]
		kind := r.IntN(8)
		lies = lies || kind < 3
		switch kind {
		case 0:
			if len(x.Shape) > 0 {
				x.Shape = slices.Clone(x.Shape)
				x.Shape[r.IntN(len(x.Shape))] = number()
			}
		case 1:
			x.Shape = slices.Insert(slices.Clone(x.Shape), r.IntN(len(x.Shape)+1), 1)
		case 2:
			if i := slices.Index(x.Shape, 1); i >= 0 {
				x.Shape = slices.Delete(slices.Clone(x.Shape), i, i+1)
			}
		case 3:
			x.Type = []graph.TensorType{graph.Float32, graph.Int32, graph.Int8, graph.Float16}[r.IntN(4)]
		case 4:
			x.Quantization = &graph.Quantization{}
			if r.IntN(2) == 0 {
				x.Quantization = &graph.Quantization{Scale: []float32{0.1}, ZeroPoint: []int64{1}}
			}
		case 5:
			if data := out.Buffers[x.Buffer]; x.Type == graph.Int32 && len(data) >= 4 && len(data) < 100 {
				data = slices.Clone(data)
				graph.View[int32](data)[r.IntN(len(data)/4)] = int32(number())
				out.Buffers[x.Buffer] = data
			}
		case 6:
			if len(op.Inputs) == 0 {
				continue
			}
			op.Inputs = slices.Clone(op.Inputs)
			if i := r.IntN(len(op.Inputs)); r.IntN(3) > 0 {
				op.Inputs[i] = r.IntN(len(g.Tensors)+1) - 1
			} else {
				op.Inputs = slices.Delete(op.Inputs, i, i+1)
			}
		case 7:
			op.Options = otherOptions(r, op.Options, number())
		}
	}
	return out, lies
}

// otherOptions changes a field.
func otherOptions(r *rand.Rand, options any, number int) any {
	v := reflect.ValueOf(options)
	if options == nil || v.IsNil() || v.Elem().NumField() == 0 || r.IntN(5) == 0 {
		return nil
	}
	out := reflect.New(v.Elem().Type())
	out.Elem().Set(v.Elem())
	switch f := out.Elem().Field(r.IntN(v.Elem().NumField())); f.Kind() {
	case reflect.Bool:
		f.SetBool(!f.Bool())
	case reflect.Int8:
		f.SetInt(int64(r.IntN(4)))
	case reflect.Int32:
		f.SetInt(int64(number))
	}
	return out.Interface()
}

// tried runs a model, when it is small and the backend takes it.
func tried(m *graph.Model, inputs []graph.Array) ([]graph.Array, error) {
	b := fallback.New(fallback.Options{Threads: 1})
	g := &m.Subgraphs[0]
	for o := range g.Ops {
		if r := b.Supports(m, 0, o); r != nil {
			return nil, r
		}
	}
	e, err := b.Compile(context.Background(), m)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	outputs := make([]graph.Array, len(g.Outputs))
	return outputs, e.Run(context.Background(), inputs, outputs)
}

func small(m *graph.Model) bool {
	return !slices.ContainsFunc(m.Subgraphs[0].Tensors, func(x graph.Tensor) bool {
		n, err := graph.ByteSize(x.Type, x.Shape)
		return err != nil || n > 1<<16
	})
}

// No pass panics on a model that graph.Check lets through. Those that run all
// the same compute the same after it, unless the file lies about shapes: the
// passes believe them.
func TestSpoiledModelsDoNoHarm(t *testing.T) {
	all := Passes()
	checked, running := 0, 0
	for seed := range rounds(900) {
		r := rand.New(rand.NewPCG(seed, 17))
		source := built(t, randomModel(r))
		if cases := layers(0, nil, nil, 0); seed%3 == 0 {
			source = built(t, cases[r.IntN(len(cases))].build)
		}
		m, lies := spoiled(r, source)
		if graph.Check(m) != nil {
			continue
		}
		checked++
		inputs := []graph.Array(nil)
		var want []graph.Array
		if small(m) && !lies {
			inputs = randomInputs(r, m, true)
			want, _ = tried(m, inputs)
			for i := range want { // the shapes in the file are not those of a run
				if !slices.Equal(want[i].Shape, m.Subgraphs[0].Tensors[m.Subgraphs[0].Outputs[i]].Shape) {
					want = nil
					break
				}
			}
		}
		for _, p := range all {
			out, changed, err := quietly(p, m)
			if err != nil {
				if want != nil {
					t.Errorf("seed %d: %s: a model that runs: %v\n%s", seed, p.Name, err, listed(m))
				}
				continue
			}
			if want == nil || changed == 0 || p.Approximate {
				continue
			}
			running++
			got, err := tried(out, inputs)
			if err != nil {
				t.Errorf("seed %d: %s: %v\n%s\nbecame\n%s", seed, p.Name, err, listed(m), listed(out))
				continue
			}
			for i := range want {
				if err := nearOrOdd(got[i], want[i]); err != nil {
					t.Errorf("seed %d: %s: output %d: %v\n%s\nbecame\n%s", seed, p.Name, i, err, listed(m), listed(out))
				}
			}
		}
	}
	if checked < int(rounds(300)) || running < int(rounds(500)) {
		t.Errorf("only %d models were tried, %d times run: the test has lost its use", checked, running)
	}
}

// quietly makes an error of a panic.
func quietly(p Pass, m *graph.Model) (out *graph.Model, changed int, err error) {
	defer func() {
		if v := recover(); v != nil {
			panic(fmt.Sprintf("%s panics: %v\n%s", p.Name, v, listed(m)))
		}
	}()
	return p.Apply(m)
}

// nearOrOdd is near, for outputs that may hold infinities.
func nearOrOdd(got, want graph.Array) error {
	if want.Type == graph.Float32 {
		for _, v := range graph.View[float32](want.Data) {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil
			}
		}
	}
	if len(want.Data) == 0 {
		return nil
	}
	return near(got, want, 1e-4, 1)
}
