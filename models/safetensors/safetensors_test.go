package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const goldens = "../data/goldens/safetensors"

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(goldens, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

func TestMalformedFilesAreRefused(t *testing.T) {
	for _, path := range append(glob(t, "bad/*.safetensors"), glob(t, "sharded-bad/*.index.json")...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, err := Open(path)
			if err == nil {
				_ = f.Close()
				t.Fatal("was accepted")
			}
			if !strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is not one line that begins with the file: %q", err)
			}
			if !errors.Is(err, ErrFormat) && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("error wraps neither ErrFormat nor a missing file: %v", err)
			}
		})
	}
}

func TestValidFilesHoldTheValuesTheyWereWrittenWith(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(goldens, "valid/values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]struct {
		Metadata map[string]string
		Tensors  map[string]struct {
			DType  string
			Shape  []int
			Values json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &files); err != nil {
		t.Fatal(err)
	}
	for _, path := range glob(t, "valid/*.safetensors") {
		want, ok := files[filepath.Base(path)]
		if !ok {
			t.Errorf("%s is not in values.json", path)
			continue
		}
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if !reflect.DeepEqual(f.Metadata, want.Metadata) {
			t.Errorf("%s: metadata %v, want %v", path, f.Metadata, want.Metadata)
		}
		if len(f.Names()) != len(want.Tensors) {
			t.Errorf("%s: tensors %v, want %d", path, f.Names(), len(want.Tensors))
		}
		for name, w := range want.Tensors {
			got, err := f.Tensor(name)
			if err != nil || got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) {
				t.Errorf("%s: tensor %q: %s %v, want %s %v (%v)", path, name, got.DType, got.Shape, w.DType, w.Shape, err)
			}
			if w.DType == "F32" || w.DType == "F16" || w.DType == "BF16" {
				compareFloats(t, f, name, w.Values)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func compareFloats(t *testing.T, f *File, name string, values json.RawMessage) {
	var list []any
	var flatten func(v any)
	flatten = func(v any) {
		if nested, ok := v.([]any); ok {
			for _, x := range nested {
				flatten(x)
			}
			return
		}
		list = append(list, v)
	}
	var v any
	if err := json.Unmarshal(values, &v); err != nil {
		t.Fatal(err)
	}
	flatten(v)
	got, err := f.Float32s(name)
	if err != nil || len(got) != len(list) {
		t.Fatalf("%s: %d values, want %d (%v)", name, len(got), len(list), err)
	}
	for i, w := range list {
		g := float64(got[i])
		var same bool
		switch w := w.(type) {
		case float64:
			same = g == w || float32(w) == got[i]
		case string:
			same = fmt.Sprint(g) == map[string]string{"Infinity": "+Inf", "-Infinity": "-Inf", "NaN": "NaN"}[w]
		}
		if !same {
			t.Errorf("%s: element %d is %v, want %v", name, i, g, w)
		}
	}
}

func TestShardsAreFoundThroughTheIndex(t *testing.T) {
	f, err := Open(filepath.Join(goldens, "sharded/model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := []string{"layer.0.bias", "layer.0.weight", "layer.1.bias", "layer.1.weight"}; !slices.Equal(f.Names(), want) {
		t.Errorf("tensors %v, want %v", f.Names(), want)
	}
	for _, name := range f.Names() {
		if _, err := f.Float32s(name); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	tensors := []Tensor{
		{Name: "b", DType: "F32", Shape: []int{2}, Data: []byte{0, 0, 128, 63, 0, 0, 0, 64}},
		{Name: "a", DType: "BF16", Shape: []int{1, 1}, Data: []byte{128, 63}},
		{Name: "nothing", DType: "I64", Shape: []int{0, 3}, Data: []byte{}},
		{Name: "scalar", DType: "U8", Shape: nil, Data: []byte{7}},
	}
	var b bytes.Buffer
	if err := Write(&b, tensors, map[string]string{"made": "here"}); err != nil {
		t.Fatal(err)
	}
	f, err := Read(b.Bytes(), "written")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Float32s("b", 2); err != nil || v[0] != 1 || v[1] != 2 {
		t.Errorf("b is %v, %v", v, err)
	}
	if v, err := f.Float32s("a"); err != nil || v[0] != 1 {
		t.Errorf("a is %v, %v", v, err)
	}
	if f.Metadata["made"] != "here" || len(f.Names()) != 4 {
		t.Errorf("metadata %v, names %v", f.Metadata, f.Names())
	}
	if err := Write(&b, append(tensors, tensors[0]), nil); err == nil {
		t.Error("a name was written twice")
	}
}

func TestFloat32sChecksShapeAndType(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{{Name: "n", DType: "I8", Shape: []int{1}, Data: []byte{1}}, {Name: "x", DType: "F64", Shape: []int{1}, Data: make([]byte, 8)}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Read(b.Bytes(), "file")
	if err != nil {
		t.Fatal(err)
	}
	for name, shape := range map[string][]int{"missing": nil, "n": nil, "x": {2}} {
		if _, err := f.Float32s(name, shape...); err == nil || !strings.Contains(err.Error(), "file") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name file and tensor", name, err)
		}
	}
	if v, err := f.Float32s("x", 1); err != nil || math.Abs(float64(v[0])) > 0 {
		t.Errorf("x: %v, %v", v, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, path := range append(glob(f, "bad/*.safetensors"), glob(f, "valid/*.safetensors")...) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1<<16 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(data, "fuzz")
		if err != nil {
			return
		}
		total := 0
		for _, name := range file.Names() {
			x, err := file.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			total += len(x.Data)
			_, _ = file.Float32s(name)
		}
		if total > len(data) {
			t.Fatalf("tensors take %d bytes of a file of %d", total, len(data))
		}
	})
}
