package delegate

import (
	"bytes"
	"testing"

	"nanoflux/graph"
)

func TestASegmentBringsCodeAlong(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 3)
	b.Output("y", b.Add(x, graph.ConstOf(b, "w", []float32{1, 2, 3})))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	with := WithCompiled(m, "npu", []byte("code"))
	if err := graph.Check(with); err != nil {
		t.Fatal(err)
	}
	if code, bare := Compiled(m, "npu"); code != nil || bare != m {
		t.Errorf("a segment without code gave %q", code)
	}
	if code, _ := Compiled(with, "other"); code != nil {
		t.Errorf("another kind's code was given: %q", code)
	}
	// As it reaches a backend in another process.
	file, err := graph.Marshal(with)
	if err != nil {
		t.Fatal(err)
	}
	read, err := graph.Read(file, "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	for name, segment := range map[string]*graph.Model{"here": with, "read": read} {
		code, bare := Compiled(segment, "npu")
		if !bytes.Equal(code, []byte("code")) {
			t.Errorf("%s: the code is %q", name, code)
		}
		if bare.Fingerprint() != m.Fingerprint() {
			t.Errorf("%s: the segment without its code is not what it was", name)
		}
	}
}
