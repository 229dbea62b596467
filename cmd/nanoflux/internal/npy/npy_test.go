package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"nanoflux/graph"
)

// file makes a version 1 file as NumPy writes it.
func file(dict string, data ...byte) []byte {
	b := append([]byte(magic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(dict)))
	return append(append(b, dict...), data...)
}

func TestFilesOfNumPyAreRead(t *testing.T) {
	version2 := append([]byte(magic), 2, 0, 57, 0, 0, 0)
	version2 = append(version2, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\x07\x08"...)
	for name, c := range map[string]struct {
		data  []byte
		kind  graph.TensorType
		shape []int
		bytes []byte
	}{
		"a vector":                  {file("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }   \n", 1, 0, 2, 0), graph.Int16, []int{2}, []byte{1, 0, 2, 0}},
		"a matrix":                  {file("{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2), }\n", 255, 2), graph.Int8, []int{1, 2}, []byte{255, 2}},
		"a scalar":                  {file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 0, 0, 128, 63), graph.Float32, []int{}, []byte{0, 0, 128, 63}},
		"nothing":                   {file("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5), }\n"), graph.Float64, []int{0, 5}, nil},
		"big endian":                {file("{'descr': '>u4', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 9), graph.Uint32, []int{1}, []byte{9, 0, 0, 0}},
		"bools":                     {file("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", 1, 0), graph.Bool, []int{2}, []byte{1, 0}},
		"other quotes and no comma": {file(`{"shape":(2),"fortran_order":False,"descr":"<f2"}`, 1, 2, 3, 4), graph.Float16, []int{2}, []byte{1, 2, 3, 4}},
		"version 2":                 {version2, graph.Uint8, []int{2}, []byte{7, 8}},
	} {
		a, err := Decode(c.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a.Type != c.kind || !slices.Equal(a.Shape, c.shape) || !bytes.Equal(a.Data, c.bytes) {
			t.Errorf("%s: %v %v %v", name, a.Type, a.Shape, a.Data)
		}
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	good := file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", 0, 0, 0, 0)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                {nil, "does not start"},
		"foreign":              {[]byte("PK\x03\x04 something else"), "does not start"},
		"cut in the data":      {good[:len(good)-1], "do not fill"},
		"cut header":           {good[:20], "cut off"},
		"too much data":        {append(slices.Clone(good), 0), "do not fill"},
		"version 9":            {append([]byte(magic), 9, 0, 0, 0, 0, 0), "format version 9"},
		"Fortran order":        {file("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 0, 0, 0, 0), "ascontiguousarray"},
		"objects":              {file("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 0), `type "|O"`},
		"complex":              {file("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 0, 0, 0, 0, 0, 0, 0, 0), `type "<c8"`},
		"structured":           {file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 0, 0, 0, 0), "structured"},
		"no shape":             {file("{'descr': '<f4', 'fortran_order': False, }", 0, 0, 0, 0), "missing"},
		"a key twice":          {file("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", 0, 0, 0, 0), "twice"},
		"unknown key":          {file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': (1,) }", 0, 0, 0, 0), "unknown key"},
		"negative size":        {file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "a size expected"},
		"too large":            {file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }"), "too many elements"},
		"a size with overflow": {file("{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,), }"), "do not fill"},
		"not a dictionary":     {file("[1, 2]"), `"{" expected`},
		"no bool":              {file("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", 2), "no bool"},
	} {
		if _, err := Decode(c.data); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, kind := range kinds {
		for _, shape := range [][]int{{}, {0}, {3}, {2, 1, 4}} {
			a := graph.NewArray(kind, shape...)
			for i := range a.Data {
				a.Data[i] = byte(i) & 1
			}
			var b bytes.Buffer
			if err := Encode(&b, a); err != nil {
				t.Fatalf("%v %v: %v", kind, shape, err)
			}
			if start := b.Len() - len(a.Data); start%64 != 0 || b.Bytes()[start-1] != '\n' {
				t.Errorf("%v %v: data starts at %d", kind, shape, start)
			}
			back, err := Decode(b.Bytes())
			if err != nil || back.Type != kind || !slices.Equal(back.Shape, shape) || !bytes.Equal(back.Data, a.Data) {
				t.Errorf("%v %v came back as %v %v, %v", kind, shape, back.Type, back.Shape, err)
			}
		}
	}
	if err := Encode(&bytes.Buffer{}, graph.Array{Type: graph.String}); err == nil {
		t.Error("strings were written")
	}
}

// What Decode takes fits its file, and is written and read back the same.
func FuzzDecode(f *testing.F) {
	f.Add(file("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }   \n", 1, 0, 2, 0))
	f.Add(file("{'descr': '>f4', 'fortran_order': False, 'shape': (), }", 1, 0, 2, 0))
	f.Add(file("{'shape': (1, 2), 'fortran_order': False, 'descr': '|b1'}", 1, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v does not wrap ErrFormat", err)
			}
			return
		}
		if len(a.Data) > len(data) {
			t.Fatalf("%d bytes from a file of %d", len(a.Data), len(data))
		}
		var b bytes.Buffer
		if err := Encode(&b, a); err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b.Bytes())
		if err != nil || !bytes.Equal(back.Data, a.Data) || !slices.Equal(back.Shape, a.Shape) {
			t.Fatalf("came back as %v %v: %v", back.Type, back.Shape, err)
		}
	})
}
