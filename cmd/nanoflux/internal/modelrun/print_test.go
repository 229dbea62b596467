package modelrun

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/graph"
	"nanoflux/partition/exec"
)

func TestOutputsGetFileNamesOfTheirOwn(t *testing.T) {
	names := []string{"y", "StatefulPartitionedCall:0", "Y", "../../etc/passwd", "", strings.Repeat("n", 300), "y", "..."}
	want := []string{"y.npy", "StatefulPartitionedCall_0.npy", "Y-2.npy", "_.._etc_passwd.npy", "output.npy", strings.Repeat("n", 100) + ".npy", "y-3.npy", "output-2.npy"}
	var r Result
	for _, n := range names {
		r.Outputs = append(r.Outputs, Output{Name: n})
	}
	if got := r.FileNames(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBFloatsAreWrittenAsFloats(t *testing.T) {
	a := graph.NewArray(graph.BFloat16, 2)
	copy(graph.View[uint16](a.Data), []uint16{0x3f80, 0xc040})
	var b bytes.Buffer
	if err := (&Result{Values: []graph.Array{a}}).WriteOutput(&b, 0); err != nil {
		t.Fatal(err)
	}
	back, err := npy.Decode(b.Bytes())
	if err != nil || !slices.Equal(graph.View[float32](back.Data), []float32{1, -3}) {
		t.Errorf("%v, %v", back, err)
	}
}

func TestTheTableSaysWhatDiffers(t *testing.T) {
	var b strings.Builder
	nan := graph.NewArray(graph.Float32, 1)
	graph.View[float32](nan.Data)[0] = float32(math.NaN())
	r := &Result{Model: "m\x1b.tflite", Profile: "p", Reference: "tflite", Outputs: []Output{
		summary("y", graph.NewArray(graph.Float32, 2)), summary("n", graph.NewArray(graph.Int8, 0)), summary("z", nan),
	}, Compared: []Comparison{
		{exec.Difference{Output: "a", Elements: 3, Equal: true}, true},
		{exec.Difference{Output: "b", Elements: 3, Different: 1, MaxAbs: 1e-7}, true},
		{exec.Difference{Output: "c", Elements: 3, Different: 2, NonFinite: 2}, false},
		{exec.Difference{Output: "d", Elements: 3, Different: 2, MaxAbs: 1}, false},
	}}
	r.Print(&b)
	for _, want := range []string{`"m\x1b.tflite": profile p`, "0 to 0", "no range", "equal", "within 1e-4", "DIFFERS: 2 not finite"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestIntegersMustBeTheSameAndFloatsClose(t *testing.T) {
	for name, c := range map[string]struct {
		d    exec.Difference
		want bool
	}{
		"the same":              {exec.Difference{Type: "INT8", Equal: true}, true},
		"integers one apart":    {exec.Difference{Type: "INT8", Elements: 9, Different: 1, MaxAbs: 1, Range: 1e9, Relative: 1e-9}, false},
		"bools that differ":     {exec.Difference{Type: "BOOL", Elements: 9, Different: 1}, false},
		"floats within":         {exec.Difference{Type: "FLOAT32", Elements: 9, Different: 1, Relative: 0.9e-5}, true},
		"floats beyond":         {exec.Difference{Type: "FLOAT32", Elements: 9, Different: 1, Relative: 1.1e-4}, false},
		"half floats within":    {exec.Difference{Type: "FLOAT16", Elements: 9, Different: 1, Relative: 0.9e-5}, true},
		"one that is no number": {exec.Difference{Type: "FLOAT32", Elements: 9, Different: 1, NonFinite: 1}, false},
	} {
		if passes(c.d) != c.want {
			t.Errorf("%s: passes is %v", name, !c.want)
		}
	}
}
