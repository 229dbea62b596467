package peak

import "testing"

func TestEveryRateIsMeasured(t *testing.T) {
	m := Measure(2)
	if m.Threads != 2 || m.SIMD == "" || m.Float32 <= 0 || m.Int8 <= 0 || m.Bandwidth <= 0 {
		t.Errorf("%+v", m)
	}
}

func TestEveryKernelIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	for _, k := range Kernels() {
		if k.Name == "" || k.Unit == "" || k.Rate <= 0 {
			t.Errorf("%+v", k)
		}
	}
}
