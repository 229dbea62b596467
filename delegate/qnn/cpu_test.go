//go:build tflite

package qnn

import (
	"testing"

	"nanoflux/delegate/delegatetest"
)

// oracle is ONNX Runtime's own kernels behind the writer.
func oracle(t *testing.T) *Backend {
	t.Helper()
	b := &Backend{cpu: true}
	if _, err := b.Probe(t.Context()); err != nil {
		t.Skipf("ONNX Runtime is not here: %v", err)
	}
	return b
}

func TestTheWriterMeansWhatTensorFlowLiteComputes(t *testing.T) {
	delegatetest.RunAll(t, oracle(t), len(delegatetest.Cases()))
}

func TestTheWriterMeansWhatTensorFlowLiteComputesInIntegers(t *testing.T) {
	delegatetest.RunQuantizedWithin(t, oracle(t), 1, 2e-2, nil, 100)
}
