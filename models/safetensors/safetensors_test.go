package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
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

// hasNoTensor are the malformed files whose mistake is not in one tensor.
var hasNoTensor = map[string]bool{}

func init() {
	for _, name := range strings.Fields(`empty_file header_array header_cut header_leading_space
		header_length_max header_length_over_limit header_length_sign header_lone_surrogate header_longer_than_file
		header_not_json header_not_utf8 header_nul_padding header_two_values length_zero metadata_is_tensor
		metadata_nested metadata_number short_length trailing_bytes`) {
		hasNoTensor[name+".safetensors"] = true
	}
}

func TestMalformedFilesAreRefused(t *testing.T) {
	for _, path := range glob(t, "bad/*.safetensors") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			err := mustRefuse(t, path)
			if !errors.Is(err, ErrFormat) {
				t.Errorf("error does not wrap ErrFormat: %v", err)
			}
			named := strings.Contains(err.Error(), `"x"`) || strings.Contains(err.Error(), `"b"`)
			if !named && !hasNoTensor[filepath.Base(path)] {
				t.Errorf("error does not name the tensor: %v", err)
			}
		})
	}
}

// mustRefuse opens a file, which must give one line that begins with its name.
func mustRefuse(t *testing.T, path string) error {
	t.Helper()
	f, err := Open(path)
	if err == nil {
		_ = f.Close()
		t.Fatal("was accepted")
	}
	if !strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is not one line that begins with the file: %q", err)
	}
	return err
}

// besideShards copies an index to a folder where the good shards lie, so that
// nothing but the index can be wrong.
func besideShards(t *testing.T, index []byte, name string) string {
	t.Helper()
	dir := t.TempDir()
	for _, shard := range glob(t, "sharded/*.safetensors") {
		data, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(shard)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, index, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMalformedIndicesAreRefused(t *testing.T) {
	for _, path := range glob(t, "sharded-bad/*.index.json") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			index, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			err = mustRefuse(t, besideShards(t, index, filepath.Base(path)))
			missing := filepath.Base(path) == "missing_shard.index.json"
			if errors.Is(err, os.ErrNotExist) != missing || errors.Is(err, ErrFormat) == missing {
				t.Errorf("error %v", err)
			}
			if !strings.Contains(err.Error(), "layer.") && !strings.Contains(err.Error(), "weight_map") {
				t.Errorf("error names neither tensor nor weight_map: %v", err)
			}
		})
	}
	for name, index := range map[string]string{
		"itself":           `{"weight_map": {"x": "model.index.json"}}`,
		"a stream":         `{"weight_map": {"x": "C:model.safetensors"}}`,
		"no name":          `{"weight_map": {"x": ""}}`,
		"the folder above": `{"weight_map": {"x": ".."}}`,
		"a tensor twice":   `{"weight_map": {"x": "a.safetensors", "x": "b.safetensors"}}`,
		"two values":       `{"weight_map": {}} {}`,
		"half a surrogate": `{"weight_map": {"\ud800": "a.safetensors"}}`,
		"not UTF-8":        "{\"weight_map\": {\"\xff\": \"a.safetensors\"}}",
		"deep nesting":     `{"metadata": ` + strings.Repeat("[", 100_000) + `, "weight_map": {}}`,
		"nothing":          ``,
	} {
		t.Run(name, func(t *testing.T) {
			if err := mustRefuse(t, besideShards(t, []byte(index), "model.index.json")); !errors.Is(err, ErrFormat) {
				t.Errorf("error does not wrap ErrFormat: %v", err)
			}
		})
	}
}

func TestAFolderIsNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model.index.json")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := mustRefuse(t, path); !errors.Is(err, ErrFormat) {
			t.Errorf("error does not wrap ErrFormat: %v", err)
		}
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
			compareValues(t, f, got, w.Values)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// compareValues compares every element with its text in values.json: floats by
// value, the rest to the digit. The 8-bit floats stand there by their values, so
// only their number is compared: nothing here computes with them.
func compareValues(t *testing.T, f *File, x Tensor, values json.RawMessage) {
	t.Helper()
	want := flat(t, values)
	width := bitsOf(x.DType) / 8
	if len(x.Data) != len(want)*width {
		t.Fatalf("%q: %d bytes for %d values of %s", x.Name, len(x.Data), len(want), x.DType)
	}
	if strings.HasPrefix(x.DType, "F8") {
		return
	}
	var floats []float32
	if strings.Contains(x.DType, "F") {
		var err error
		if floats, err = f.Float32s(x.Name, x.Shape...); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range want {
		var got string
		if floats != nil {
			v, err := strconv.ParseFloat(w, 64)
			if err != nil {
				t.Fatal(err)
			}
			w, got = fmt.Sprint(float32(v)), fmt.Sprint(floats[i])
		} else {
			got = integer(x.DType, x.Data[i*width:])
		}
		if got != w {
			t.Errorf("%q: element %d is %s, want %s", x.Name, i, got, w)
		}
	}
}

// flat are the scalars of nested JSON lists, as text.
func flat(t *testing.T, raw json.RawMessage) (list []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for {
		switch v, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return list
		case err != nil:
			t.Fatal(err)
		case v != json.Delim('[') && v != json.Delim(']'):
			list = append(list, fmt.Sprint(v))
		}
	}
}

func integer(dtype string, b []byte) string {
	little := binary.LittleEndian
	switch dtype {
	case "BOOL":
		return fmt.Sprint(b[0] != 0)
	case "U8":
		return fmt.Sprint(b[0])
	case "I8":
		return fmt.Sprint(int8(b[0]))
	case "U16":
		return fmt.Sprint(little.Uint16(b))
	case "I16":
		return fmt.Sprint(int16(little.Uint16(b)))
	case "U32":
		return fmt.Sprint(little.Uint32(b))
	case "I32":
		return fmt.Sprint(int32(little.Uint32(b)))
	case "U64":
		return fmt.Sprint(little.Uint64(b))
	case "I64":
		return fmt.Sprint(int64(little.Uint64(b)))
	}
	return "a value of type " + dtype
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
	for name, want := range map[string][]float32{
		"layer.0.weight": {1, -2, 0.5, 3}, "layer.0.bias": {5, 6},
		"layer.1.weight": {1, 2, 3, 4}, "layer.1.bias": {7, 8},
	} {
		if got, err := f.Float32s(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v (%v)", name, got, want, err)
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
	for name, bad := range map[string]Tensor{
		"a name twice":      tensors[0],
		"a name not UTF-8":  {Name: "\xff", DType: "U8", Shape: []int{1}, Data: []byte{1}},
		"the metadata":      {Name: "__metadata__", DType: "U8", Shape: []int{1}, Data: []byte{1}},
		"an unknown type":   {Name: "c", DType: "F31", Shape: []int{1}, Data: []byte{1}},
		"too few bytes":     {Name: "c", DType: "F32", Shape: []int{1}, Data: []byte{1}},
		"a negative length": {Name: "c", DType: "U8", Shape: []int{-1, -1}, Data: []byte{1}},
	} {
		b.Reset()
		if err := Write(&b, append(slices.Clone(tensors), bad), nil); err == nil || b.Len() > 0 {
			t.Errorf("%s: %d bytes were written, error %v", name, b.Len(), err)
		}
	}
}

func TestFloat32sChecksShapeAndType(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{{Name: "n", DType: "I8", Shape: []int{1}, Data: []byte{1}}, {Name: "x", DType: "F64", Shape: []int{1}, Data: binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1))}}, nil); err != nil {
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
	if v, err := f.Float32s("x", 1); err != nil || v[0] != 0.1 {
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

func FuzzIndex(f *testing.F) {
	for _, path := range append(glob(f, "sharded-bad/*.index.json"), glob(f, "sharded/*.index.json")...) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		shards, err := weightMap(data)
		if err != nil {
			return
		}
		for _, shard := range shards {
			if checkShardName(shard) == nil && filepath.Base(shard) != shard {
				t.Fatalf("shard %q leaves the folder", shard)
			}
		}
	})
}
