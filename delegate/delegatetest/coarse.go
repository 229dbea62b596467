package delegatetest

import (
	"encoding/binary"
	"fmt"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// RunQuantizedWithin checks that a backend whose kernels round in their own way
// gives TensorFlow Lite's integers within a number of steps, and floats within a
// part of their range. What it refuses is skipped by name, and so are the cases
// that differs says something of; least is how many it must take.
func RunQuantizedWithin(t *testing.T, b delegate.Backend, steps int, tolerance float64, differs map[string]string, least int) {
	wanted, err := quantizedGoldens()
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, c := range QuantizedCases(1) {
		t.Run(c.Name, func(t *testing.T) {
			if why := differs[c.Name]; why != "" {
				t.Skip(why)
			}
			if r := refusal(b, c.Model); r != nil {
				t.Skipf("%s refuses: %v", b.Name(), r)
			}
			taken++
			got, want := run(t, b, c), wanted[c.Name]
			for i := range want {
				d := ""
				if want[i].Type == graph.Float32 {
					d = DifferWithin(got[i], want[i], tolerance)
				} else {
					d = differBySteps(got[i], want[i], steps)
				}
				if d != "" {
					t.Errorf("output %d: %s", i, d)
				}
			}
		})
	}
	if taken < least {
		t.Errorf("%s took %d quantized cases, must take %d", b.Name(), taken, least)
	}
}

// differBySteps says where integers are more than so many steps apart.
func differBySteps(got, want graph.Array, steps int) string {
	if got.Type != want.Type || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) || len(got.Data) != len(want.Data) {
		return fmt.Sprintf("%v %v, want %v %v", got.Type, got.Shape, want.Type, want.Shape)
	}
	at := func(a graph.Array, i int) int {
		switch a.Type {
		case graph.Int8:
			return int(int8(a.Data[i]))
		case graph.Int16:
			return int(int16(binary.LittleEndian.Uint16(a.Data[2*i:])))
		}
		return int(a.Data[i])
	}
	n := len(want.Data)
	if want.Type == graph.Int16 {
		n /= 2
	}
	off, worst, where := 0, 0, 0
	for i := range n {
		d := at(got, i) - at(want, i)
		d = max(d, -d)
		if d > 0 {
			off++
		}
		if d > worst {
			worst, where = d, i
		}
	}
	if worst > steps {
		return fmt.Sprintf("element %d is %d, want %d; %d of %d differ", where, at(got, where), at(want, where), off, n)
	}
	return ""
}
