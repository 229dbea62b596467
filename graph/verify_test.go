package graph

import (
	"encoding/binary"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"

	"nanoflux/graph/schema"
)

// touch reads a file and, if it passes the door, uses every part of it.
func touch(t testing.TB, data []byte) {
	m, err := Read(data, "touched")
	if err != nil {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrModel) {
			t.Fatalf("neither a bad file nor a bad model: %v", err)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Fatalf("more than one line: %v", err)
		}
		return
	}
	for s := range m.Subgraphs {
		for x := range m.Subgraphs[s].Tensors {
			if a, ok := m.Constant(s, x); ok && a.Type != String && len(View[float64](a.Data)) > len(a.Data) {
				t.Fatal("a view is too long")
			}
			_ = m.TensorLabel(s, x)
		}
		for o := range m.Subgraphs[s].Ops {
			_ = m.OpLabel(s, o)
			if _, _, err := Extract(m, s, []int{o}); err != nil && !errors.Is(err, ErrExtract) {
				t.Fatal(err)
			}
		}
	}
	out, err := Marshal(m)
	if err != nil {
		return // a compiled operator
	}
	back, err := Read(out, "touched")
	if err != nil {
		t.Fatalf("what was read and written cannot be read: %v", err)
	}
	if back.Fingerprint() != m.Fingerprint() {
		t.Fatal("what was read and written is another model")
	}
}

func FuzzRead(f *testing.F) {
	for _, m := range sampleModels(f) {
		data, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
		for i := 8; i < len(data); i += 97 {
			changed := append([]byte(nil), data...)
			changed[i] ^= 0xff
			f.Add(changed)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { touch(t, data) })
}

func TestNoChangedByteGetsPastTheDoorUnsafely(t *testing.T) {
	for _, m := range sampleModels(t) {
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		changed := AlignedBytes(len(data))
		copy(changed, data)
		every := 1
		if testing.Short() {
			every = 3 // under an emulator all of them take twelve seconds
		}
		for i := 0; i < len(data); i += every {
			for _, value := range []byte{0, 1, data[i] + 1, data[i] - 1, data[i] ^ 0x80, 0x7f, 0xff} {
				changed[i] = value
				touch(t, changed)
			}
			changed[i] = data[i]
		}
	}
}

func TestNoTruncatedFileGetsPastTheDoorUnsafely(t *testing.T) {
	for name, m := range sampleModels(t) {
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for n := range data {
			if _, err := Read(data[:n:n], name); err == nil && n < len(data)-dataAlignment {
				t.Errorf("%s: %d of %d bytes were taken for all", name, n, len(data))
			}
		}
	}
}

// TestSharedTablesDoNotExhaustTheReader builds a file of a few kilobytes whose
// subgraphs are all the same table, whose tensors are all the same table,
// whose shape is the same vector: unrolled it would be terabytes.
func TestSharedTablesDoNotExhaustTheReader(t *testing.T) {
	const n = 8000
	b := flatbuffers.NewBuilder(0)
	schema.TensorStartShapeVector(b, n)
	for range n {
		b.PrependInt32(1)
	}
	shape := b.EndVector(n)
	schema.TensorStart(b)
	schema.TensorAddShape(b, shape)
	tensor := schema.TensorEnd(b)
	repeat := func(table flatbuffers.UOffsetT) flatbuffers.UOffsetT {
		b.StartVector(4, n, 4)
		for range n {
			b.PrependUOffsetT(table)
		}
		return b.EndVector(n)
	}
	tensors := repeat(tensor)
	schema.SubGraphStart(b)
	schema.SubGraphAddTensors(b, tensors)
	subgraphs := repeat(schema.SubGraphEnd(b))
	schema.ModelStart(b)
	schema.ModelAddVersion(b, schemaVersion)
	schema.ModelAddSubgraphs(b, subgraphs)
	b.FinishWithFileIdentifier(schema.ModelEnd(b), []byte(identifier))
	_, err := Read(b.FinishedBytes(), "bomb")
	if !errors.Is(err, ErrFormat) || !errors.Is(err, errShared) {
		t.Errorf("got %v", err)
	}
}

func TestTheVerifierNamesTheField(t *testing.T) {
	good, err := Marshal(convolutionSample(t))
	if err != nil {
		t.Fatal(err)
	}
	root := schema.GetRootAsModel(good, 0)
	model := root.Table()
	at := func(table flatbuffers.Table, field int) flatbuffers.UOffsetT {
		return table.Pos + flatbuffers.UOffsetT(table.Offset(flatbuffers.VOffsetT(4+2*field)))
	}
	var graph schema.SubGraph
	root.Subgraphs(&graph, 0)
	var tensor schema.Tensor
	graph.Tensors(&tensor, 0)
	name := at(tensor.Table(), 3)
	text := name + flatbuffers.GetUOffsetT(good[name:])
	for what, c := range map[string]struct {
		pos   flatbuffers.UOffsetT
		value uint32
		want  string
	}{
		"an offset of 0":            {at(model, 2), 0, "Model.subgraphs: offset at"},
		"an offset far away":        {at(model, 2), 0x7ffffff0, "Model.subgraphs: 4 bytes at"},
		"a misaligned offset":       {name, flatbuffers.GetUint32(good[name:]) + 2, "Tensor.name: position"},
		"a string that is too long": {text, 0xffffffff, "Tensor.name: 4294967296 bytes"},
		"a string without an end":   {text, 1, "does not end in zero"},
		"a vtable far away":         {tensor.Table().Pos, 0x7fffffff, "Tensor: vtable"},
		"a vtable before the file":  {tensor.Table().Pos, 0x70000000, "Tensor: vtable"},
		"a root far away":           {0, 0xfffffff0, "4 bytes at 4294967280"},
	} {
		bad := append([]byte(nil), good...)
		binary.LittleEndian.PutUint32(bad[c.pos:], c.value)
		_, err := Read(bad, "bad.tflite")
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestTheVerifierKnowsTheWholeSchema compares the binary schema with the text
// it is made from.
func TestTheVerifierKnowsTheWholeSchema(t *testing.T) {
	text, err := os.ReadFile("schema/tflite.fbs")
	if err != nil {
		t.Fatal(err)
	}
	types, err := fileSchema()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]int{}
	for _, table := range types.tables {
		known[strings.TrimPrefix(table.name, "tflite.")] = len(table.fields)
	}
	body := regexp.MustCompile(`(?s)table (\w+)[^{]*\{(.*?)\}`)
	tables := body.FindAllStringSubmatch(string(text), -1)
	if len(tables) != len(known) {
		t.Errorf("%d tables in the text, %d known", len(tables), len(known))
	}
	for _, m := range tables {
		// A union is two fields: its kind and its value.
		want := strings.Count(m[2], ";")
		for _, union := range []string{"QuantizationDetails;", "SparseIndexVector;", "BuiltinOptions;", "BuiltinOptions2;"} {
			want += strings.Count(m[2], ": "+union)
		}
		if known[m[1]] != want {
			t.Errorf("table %s has %d fields, %d known", m[1], want, known[m[1]])
		}
	}
}
