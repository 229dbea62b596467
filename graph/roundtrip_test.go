package graph

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"

	"nanoflux/graph/schema"
)

// same compares models by value; names and mappings may differ, and an empty
// list is as good as none.
func same(a, b *Model) bool {
	x, y := *a, *b
	x.Name, y.Name, x.release, y.release, x.File, y.File = "", "", nil, nil, nil, nil
	return reflect.DeepEqual(normal(x), normal(y))
}

func normal(m Model) Model {
	m.Metadata, m.Signatures = nilIfEmpty(m.Metadata), nilIfEmpty(m.Signatures)
	return m
}

func TestModelsSurviveWritingAndReading(t *testing.T) {
	for name, m := range sampleModels(t) {
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(data, name)
		if err != nil {
			t.Fatal(err)
		}
		if !same(m, back) {
			t.Errorf("%s came back as\n%+v\nwas\n%+v", name, back, m)
		}
		again, err := Marshal(back)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("%s: writing it twice gives different bytes (%v)", name, err)
		}
		var streamed bytes.Buffer
		if err := Write(&streamed, m); err != nil || !bytes.Equal(data, streamed.Bytes()) {
			t.Errorf("%s: Write and Marshal differ (%v)", name, err)
		}
	}
}

func TestThirdPartyModelsSurviveWritingAndReading(t *testing.T) {
	// A tensor of this one has neither data nor an operator that computes it.
	broken := []string{"blockwise_quantized.tflite"}
	for _, path := range conformanceModels(t) {
		m, err := Open(path)
		if slices.Contains(broken, filepath.Base(path)) {
			if !errors.Is(err, ErrModel) {
				t.Errorf("%s is malformed, got %v", path, err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		data, err := Marshal(m)
		if err != nil {
			if !slices.ContainsFunc(m.Subgraphs[0].Ops, func(op Op) bool { return op.Compiled() }) {
				t.Error(err)
			}
			continue
		}
		back, err := Read(data, path)
		if err != nil {
			t.Error(err)
		} else if !same(m, back) {
			t.Errorf("%s changed", path)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDataTooLargeForTheFlatbufferGoesBehindIt(t *testing.T) {
	b := NewBuilder("large")
	x := b.Input("x", Float32, 1, 64)
	big := b.FullyConnected(x, ConstOf(b, "w", counting[float32](32*64), 32, 64), ConstOf(b, "b", counting[float32](32)), ActNone)
	b.Output("y", big)
	m := finish(t, b)
	f, err := layOut(m, 1000) // as if 1000 bytes were 2 GiB
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := f.write(&file); err != nil {
		t.Fatal(err)
	}
	back, err := Read(file.Bytes(), "large")
	if err != nil {
		t.Fatal(err)
	}
	if !same(m, back) {
		t.Error("the model changed")
	}
	var vectors, behind int
	root := schema.GetRootAsModel(file.Bytes(), 0)
	for i := range root.BuffersLength() {
		var b schema.Buffer
		root.Buffers(&b, i)
		if b.DataLength() > 0 {
			vectors++
		}
		if b.Offset() > 0 {
			behind++
			if b.Offset()%dataAlignment != 0 {
				t.Errorf("data at %d", b.Offset())
			}
		}
	}
	if vectors != 1 || behind != 1 {
		t.Errorf("%d buffers inside and %d behind, want the bias inside and the weights behind", vectors, behind)
	}
	// Cut short, it must not be read past its end.
	if _, err := Read(file.Bytes()[:file.Len()-1], "large"); !errors.Is(err, ErrFormat) {
		t.Errorf("a file cut short: %v", err)
	}
}

func TestConstantsAreAlignedInTheFileAndNotCopied(t *testing.T) {
	for name, m := range sampleModels(t) {
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(data, name)
		if err != nil {
			t.Fatal(err)
		}
		start := uintptr(unsafe.Pointer(&data[0]))
		for i, b := range back.Buffers {
			if len(b) == 0 {
				continue
			}
			at := uintptr(unsafe.Pointer(&b[0])) - start
			if at >= uintptr(len(data)) {
				t.Errorf("%s: buffer %d was copied", name, i)
			} else if at%dataAlignment != 0 {
				t.Errorf("%s: buffer %d lies at %d", name, i, at)
			}
		}
	}
}

func TestMisalignedConstantsAreCopied(t *testing.T) {
	m := attentionSample(t)
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	shifted := append(AlignedBytes(1), data...)[1:]
	back, err := Read(shifted, "shifted")
	if err != nil {
		t.Fatal(err)
	}
	if !same(m, back) {
		t.Error("the model changed")
	}
	for i, b := range back.Buffers {
		if len(b) > 0 && uintptr(unsafe.Pointer(&b[0]))%4 != 0 {
			t.Errorf("buffer %d is misaligned", i)
		}
	}
}

func TestOldFilesHaveTheirOperatorsInAByte(t *testing.T) {
	old := &schema.ModelT{
		Version:       schemaVersion,
		OperatorCodes: []*schema.OperatorCodeT{{DeprecatedBuiltinCode: int8(schema.BuiltinOperatorRELU), Version: 1}},
		Subgraphs: []*schema.SubGraphT{{
			Tensors:   []*schema.TensorT{{Shape: []int32{1}, Name: "a"}, {Shape: []int32{1}, Name: "b"}},
			Inputs:    []int32{0},
			Outputs:   []int32{1},
			Operators: []*schema.OperatorT{{Inputs: []int32{0}, Outputs: []int32{1}}},
		}},
		Buffers: []*schema.BufferT{{}},
	}
	b := flatbuffers.NewBuilder(0)
	b.FinishWithFileIdentifier(old.Pack(b), []byte(identifier))
	m, err := Read(b.FinishedBytes(), "old")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Subgraphs[0].Ops[0].Name(); got != "RELU" {
		t.Errorf("the operator is %s", got)
	}
}

func TestOpenMapsAFileUntilItIsClosed(t *testing.T) {
	m := convolutionSample(t)
	path := filepath.Join(t.TempDir(), "model.tflite")
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !same(m, opened) || opened.Name != path {
		t.Errorf("%s came back changed", opened.Name)
	}
	for range 2 {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrongWithAFile(t *testing.T) {
	dir := t.TempDir()
	good, err := Marshal(convolutionSample(t))
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(good)
	table := flatbuffers.GetUOffsetT(newer)
	tab := flatbuffers.Table{Bytes: newer, Pos: table}
	newer[table+flatbuffers.UOffsetT(tab.Offset(4))] = 4 // the version
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":   {nil, "0 bytes are too few"},
		"foreign": {[]byte("PK\x03\x04 a zip file, not a model"), "must be \"TFL3\""},
		"cut":     {good[:len(good)/2], "cut short"},
		"newer":   {newer, "format version 4"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrFormat) {
		t.Errorf("a folder: %v", err)
	}
}

func TestCompiledOperatorsAreNotWritten(t *testing.T) {
	m := featuresSample(t)
	m.Subgraphs[0].Ops[0].CustomCode = "DISPATCH_OP"
	if _, err := Marshal(m); err == nil || !strings.Contains(err.Error(), "DISPATCH_OP") {
		t.Errorf("got %v", err)
	}
}

func TestWriteReportsWhatCannotBeWritten(t *testing.T) {
	m := convolutionSample(t)
	m.Subgraphs[0].Ops[0].Options = struct{}{}
	if err := Write(&bytes.Buffer{}, m); err == nil || !strings.Contains(err.Error(), "op 0 (CONV_2D)") {
		t.Errorf("foreign options: %v", err)
	}
	full := errors.New("disk full")
	if err := Write(failingWriter{full}, attentionSample(t)); !errors.Is(err, full) {
		t.Errorf("a failing writer: %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFingerprintIsOfWhatTheModelIs(t *testing.T) {
	m := convolutionSample(t)
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(data, "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	print := m.Fingerprint()
	if len(print) != 64 || back.Fingerprint() != print {
		t.Errorf("%s and %s", print, back.Fingerprint())
	}
	for what, change := range map[string]func(*Model){
		"a weight":   func(m *Model) { m.Buffers[1] = append(Buffer{99}, m.Buffers[1][1:]...) },
		"an option":  func(m *Model) { m.Subgraphs[0].Ops[0].Options.(*schema.Conv2DOptionsT).StrideH = 1 },
		"a scale":    func(m *Model) { m.Subgraphs[0].Tensors[0].Quantization.Scale[0] = 1 },
		"a name":     func(m *Model) { m.Subgraphs[0].Tensors[0].Name = "x" },
		"a version":  func(m *Model) { m.Subgraphs[0].Ops[0].Version++ },
		"the wiring": func(m *Model) { m.Subgraphs[0].Outputs[0] = 0 },
	} {
		other := convolutionSample(t)
		change(other)
		if other.Fingerprint() == print {
			t.Errorf("%s changed, the fingerprint did not", what)
		}
	}
}
