package feed

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/graph"
)

func twoInputs() []Input {
	return []Input{
		{[]string{"serving_a:0", "a"}, &graph.Tensor{Name: "serving_a:0", Type: graph.Float32, Shape: []int{1, 3}, ShapeSignature: []int{-1, 3}}},
		{[]string{"x=y"}, &graph.Tensor{Name: "x=y", Type: graph.Int8, Shape: []int{64}}},
	}
}

func save(t *testing.T, name string, a graph.Array) string {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Encode(&b, a); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInputsAreFoundByNameAndIndex(t *testing.T) {
	large := graph.NewArray(graph.Float32, 2, 3)
	graph.View[float32](large.Data)[5] = 7
	path := save(t, "odd=name.npy", large)
	for name, c := range map[string]struct {
		specs       []string
		shape       string
		last        float32
		secondZeros bool
	}{
		"by tensor name":        {[]string{"serving_a:0=" + path, "zeros"}, "2 3", 7, true},
		"by signature name":     {[]string{"a=" + path, "x=y=zeros"}, "2 3", 7, true},
		"by index":              {[]string{"0=" + path, "1=seed:4"}, "2 3", 7, false},
		"zeros for all":         {[]string{"zeros"}, "1 3", 0, true},
		"one named, rest alike": {[]string{"x=y=seed:3", "zeros"}, "1 3", 0, false},
	} {
		got, err := Arrays(twoInputs(), c.specs, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		a := graph.View[float32](got[0].Data)
		shape := strings.Trim(strings.Trim(ShapeText(&graph.Tensor{Shape: got[0].Shape}), "["), "]")
		if shape != c.shape || a[len(a)-1] != c.last {
			t.Errorf("%s: shape %s, last %v", name, shape, a[len(a)-1])
		}
		if zeros := bytes.Count(got[1].Data, []byte{0}) == len(got[1].Data); zeros != c.secondZeros {
			t.Errorf("%s: second input %v", name, got[1].Data)
		}
	}
}

func TestBadInputsAreRefused(t *testing.T) {
	wrongType := save(t, "type.npy", graph.NewArray(graph.Float64, 1, 3))
	wrongShape := save(t, "shape.npy", graph.NewArray(graph.Float32, 1, 4))
	wrongRank := save(t, "rank.npy", graph.NewArray(graph.Float32, 3))
	foreign := filepath.Join(t.TempDir(), "foreign.npy")
	if err := os.WriteFile(foreign, []byte("not an array"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		specs []string
		want  string
		spec  bool // the text is wrong, not a file
	}{
		"an unknown input":       {[]string{"b=zeros"}, `has no input "b"; it has "serving_a:0", "x=y"`, true},
		"an index out of range":  {[]string{"2=zeros"}, `no input "2"`, true},
		"twice the same":         {[]string{"a=zeros", "0=zeros"}, "has a value already", true},
		"two without a name":     {[]string{"zeros", "seed:1"}, "already one without a name", true},
		"a seed that is none":    {[]string{"seed:-1"}, "is no seed", true},
		"another word":           {[]string{"a=ones"}, "takes zeros, seed:N or a .npy file", true},
		"a file that is missing": {[]string{"a=none.npy"}, "none.npy", false},
		"a foreign file":         {[]string{"a=" + foreign}, "does not start as one", false},
		"a file of another type": {[]string{"a=" + wrongType}, "holds FLOAT64, the model takes FLOAT32", false},
		"a wrong size":           {[]string{"a=" + wrongShape}, "has shape [1 4], the model takes [? 3]", false},
		"a wrong rank":           {[]string{"a=" + wrongRank}, "has shape [3], the model takes [? 3]", false},
	} {
		_, err := Arrays(twoInputs(), c.specs, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrSpec) != c.spec || errors.Is(err, ErrFile) != strings.Contains(c.want, "the model takes") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	huge := []Input{{[]string{"a"}, &graph.Tensor{Type: graph.Float32, Shape: []int{1 << 20, 1 << 20}}}}
	if _, err := Arrays(huge, []string{"zeros"}, nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a huge input: error %v", err)
	}
	text := []Input{{[]string{"a"}, &graph.Tensor{Type: graph.String, Shape: []int{1}}}}
	if _, err := Arrays(text, nil, nil); err == nil || !strings.Contains(err.Error(), "STRING") {
		t.Errorf("a string input: error %v", err)
	}
}

func TestSeededValuesRepeatAndFillEveryType(t *testing.T) {
	for _, kind := range []graph.TensorType{
		graph.Float32, graph.Float64, graph.Float16, graph.BFloat16, graph.Int4, graph.Int8, graph.Uint8,
		graph.Int16, graph.Uint16, graph.Int32, graph.Uint32, graph.Int64, graph.Uint64, graph.Bool,
	} {
		inputs := []Input{{[]string{"a"}, &graph.Tensor{Type: kind, Shape: []int{100}}}}
		make := func(spec string) []byte {
			a, err := Arrays(inputs, []string{spec}, nil)
			if err != nil {
				t.Fatalf("%v: %v", kind, err)
			}
			return a[0].Data
		}
		one, again, two := make("seed:1"), make("seed:1"), make("seed:2")
		if !bytes.Equal(one, again) {
			t.Errorf("%v: two runs of one seed differ", kind)
		}
		if bytes.Equal(one, two) || bytes.Count(one, []byte{0}) == len(one) {
			t.Errorf("%v: seeds do not tell", kind)
		}
		if kind == graph.Float32 {
			for _, v := range graph.View[float32](one) {
				if !(v >= -1 && v < 1) {
					t.Errorf("value %v", v)
				}
			}
		}
		if kind == graph.Bool && bytes.ContainsFunc(one, func(r rune) bool { return r > 1 }) {
			t.Errorf("bools %v", one)
		}
	}
}

func TestValuesLieInTheMemoryThatIsGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	inputs := twoInputs()[:1]
	given := graph.NewArray(inputs[0].Tensor.Type, inputs[0].Tensor.Shape...)
	given.Data[0] = 7
	if err := errors.Join(npy.Encode(f, given), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"zeros", "seed:3", path} {
		want, err := Arrays(inputs, []string{spec}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var made []byte
		got, err := Arrays(inputs, []string{spec}, func(n int) []byte { made = graph.AlignedBytes(n); return made })
		if err != nil || &got[0].Data[0] != &made[0] || !bytes.Equal(got[0].Data, want[0].Data) {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
