package weights

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nanoflux/graph"
)

// table is a Source of given shapes; every value is 1.
type table map[string][]int

func (t table) Names() []string {
	var names []string
	for n := range t {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
func (t table) Shape(name string) ([]int, bool) { s, ok := t[name]; return s, ok }
func (t table) Float32s(name string, shape ...int) ([]float32, error) {
	if !slices.Equal(t[name], shape) {
		return nil, fmt.Errorf("tensor %s is %v, not %v", name, t[name], shape)
	}
	n, _ := graph.Elements(shape)
	v := make([]float32, n)
	for i := range v {
		v[i] = 1
	}
	return v, nil
}

func TestCheckSaysWhatDoesNotFit(t *testing.T) {
	want := []Spec{{"a", []int{2, 3}}, {"b", []int{2}}, {"c", nil}}
	whole := table{"a": {2, 3}, "b": {2}, "c": nil}
	with := func(name string, shape []int) table {
		c := table{name: shape}
		for n, s := range whole {
			if n != name {
				c[n] = s
			}
		}
		return c
	}
	without := func(name string) table {
		c := with(name, nil)
		delete(c, name)
		return c
	}
	for _, c := range []struct {
		name string
		src  table
		want string
	}{
		{"a file with exactly the tensors fits", whole, ""},
		{"a missing tensor is named", without("b"), "lacks b"},
		{"a wrong shape is named with both shapes", with("a", []int{3, 2}), "a is [3 2], not [2 3]"},
		{"a tensor too many is named", with("d", []int{1}), "no place for d"},
		{"a tensor that may be there is passed over", with("skip.d", []int{1}), ""},
		{"a file of another family says so", table{"x.weight": {1}, "y.weight": {2}}, "not a thing: it has none of its tensors (a, …), but x.weight, y.weight"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check("thing", c.src, want, func(n string) bool { return strings.HasPrefix(n, "skip.") })
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrWeights) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want ErrWeights with %q on one line", err, c.want)
			}
		})
	}
}

func TestReaderKeepsTheFirstErrorAndGivesZeros(t *testing.T) {
	r := NewReader(table{"a": {2}})
	if got := r.Get("a", 2); got[1] != 1 || r.Err() != nil {
		t.Fatalf("a = %v, %v", got, r.Err())
	}
	if got := r.Get("a", 3); len(got) != 3 || got[0] != 0 {
		t.Errorf("after an error: %v", got)
	}
	r.Get("b", 1)
	if err := r.Err(); !errors.Is(err, ErrWeights) || !strings.Contains(err.Error(), "tensor a is [2], not [3]") {
		t.Errorf("error %v", err)
	}
}

func TestInt8RowsAreWithinHalfAStepAndNotWorseThanPlainScales(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, columns = 40, 64
	w := make([]float32, rows*columns)
	for i := range w {
		w[i] = float32(r.NormFloat64() * math.Exp(3*r.NormFloat64()*float64(i/columns%3)))
	}
	clear(w[3*columns : 4*columns])
	w[4*columns] = 1e-44 // a row so small that its scale would vanish
	q, scales := quantizeRows(w, rows)
	for row := range rows {
		top, sum := float32(0), 0.0
		for i, v := range w[row*columns : (row+1)*columns] {
			d := float64(v) - float64(scales[row])*float64(q[row*columns+i])
			sum += d * d
			top = max(top, float32(math.Abs(float64(v))))
			if clipped := q[row*columns+i] == 127 || q[row*columns+i] == -127; !clipped && math.Abs(d) > float64(scales[row])/2*1.0001 {
				t.Fatalf("row %d, element %d: error %v beyond half of the scale %v", row, i, d, scales[row])
			}
		}
		if !(scales[row] > 0) {
			t.Errorf("row %d has scale %v", row, scales[row])
		}
		if top > 1e-30 && sum > rowError(w[row*columns:(row+1)*columns], top/127)*1.0001 {
			t.Errorf("row %d: square error %v, the plain scale has less", row, sum)
		}
	}
	if scales[3] != 1 || slices.Max(q[3*columns:4*columns]) != 0 {
		t.Errorf("the row of zeros has scale %v and codes %v", scales[3], q[3*columns:4*columns])
	}
}

func TestPolicyPicksStorageByKindSizeAndException(t *testing.T) {
	p := Uniform(Int8)
	p.Exceptions = []Exception{{"time.*", Float32}, {"final/proj.*", Float16}}
	for _, c := range []struct {
		what string
		got  Storage
		want Storage
	}{
		{"a large matrix", p.matrix("m", 5000), Int8},
		{"a small matrix", p.matrix("m", 100), Float32},
		{"an embedding", p.table("e", 5000), Float16},
		{"an exception", p.matrix("time.weight", 5000), Float32},
		{"an exception with a path", p.matrix("final/proj.weight", 5000), Float16},
	} {
		if c.got != c.want {
			t.Errorf("%s is stored as %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestConstantsBecomeNarrowBuffersBehindDequantize(t *testing.T) {
	values := make([]float32, 2*1024)
	for i := range values {
		values[i] = float32(i%7) - 3
	}
	for _, c := range []struct {
		storage Storage
		bytes   int
		ops     int
	}{{Float32, 8192, 0}, {Float16, 4096, 1}, {Int8, 2048, 1}} {
		b := graph.NewBuilder("test")
		x := b.Input("x", graph.Float32, 1, 1024)
		k := NewConstants(b, Uniform(c.storage))
		w := k.Matrix("w", values, 2, 1024)
		b.Output("y", b.FullyConnected(x, w, k.Exact("bias", []float32{1, 2}, 2), graph.ActNone))
		m, err := b.Model()
		if err != nil || k.Err() != nil {
			t.Fatal(err, k.Err())
		}
		if got := len(m.Buffers[1]); got != c.bytes {
			t.Errorf("%v takes %d bytes, want %d", c.storage, got, c.bytes)
		}
		if got := len(m.Subgraphs[0].Ops) - 1; got != c.ops {
			t.Errorf("%v has %d ops before the linear layer, want %d", c.storage, got, c.ops)
		}
	}
}

func TestWeightsThatAreNoNumbersAreErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		value   float32
		storage Storage
		want    string
	}{
		{"a NaN is named", float32(math.NaN()), Int8, "element 1 of w is NaN"},
		{"an infinity is named", float32(math.Inf(-1)), Float32, "element 1 of w is -Inf"},
		{"a value too large for float16 is named", 1e6, Float16, "w has values beyond float16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := make([]float32, 2048)
			values[1] = c.value
			k := NewConstants(graph.NewBuilder("test"), Uniform(c.storage))
			k.Matrix("w", values, 2, 1024)
			if err := k.Err(); !errors.Is(err, ErrWeights) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
