//go:build tflite

package qnn

import (
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
)

// simulated is the NPU of a chip; the test is skipped where Qualcomm's libraries
// are not here.
func simulated(t *testing.T, options map[string]any) delegate.Backend {
	t.Helper()
	b, err := delegate.Open("qnn", options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Probe(t.Context()); err != nil {
		t.Skipf("Qualcomm's simulator is not here: %v", err)
	}
	return b
}

func TestTheSimulatedNPUComplies(t *testing.T) {
	delegatetest.RunWithin(t, simulated(t, nil), len(delegatetest.Cases()), 5e-3)
}

func TestTheSimulatedNPUComputesIntegers(t *testing.T) {
	alone := map[string]string{}
	for _, name := range []string{"quantize to int8", "quantize to uint8", "quantize to int16", "dequantize int8", "dequantize uint8", "dequantize int16"} {
		alone[name] = "the provider makes no graph of quantization alone"
	}
	delegatetest.RunQuantizedWithin(t, simulated(t, nil), 2, 3e-2, alone, 100)
}
