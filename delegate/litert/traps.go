//go:build tflite

package litert

import (
	"os"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/installed"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// traps refuses what a vendor's compiler takes and computes wrong, or ends over.
func traps(manufacturer string, m *graph.Model, sub int, op *graph.Op) *delegate.Refusal {
	switch {
	case manufacturer == "IntelOpenVINO" && op.Code == schema.BuiltinOperatorMIRROR_PAD:
		if o, ok := op.Options.(*schema.MirrorPadOptionsT); ok && o.Mode == schema.MirrorPadModeSYMMETRIC {
			return delegate.Refuse(delegate.ReasonOption, "mode SYMMETRIC, of which OpenVINO 2026.3.1 computes something else")
		}
	case manufacturer == "Qualcomm" && op.Code == schema.BuiltinOperatorDEQUANTIZE && len(op.Inputs) == 1 && op.Inputs[0] != graph.NoTensor:
		if q := m.Subgraphs[sub].Tensors[op.Inputs[0]].Quantization; q != nil && len(q.Scale) > 1 {
			return delegate.Refuse(delegate.ReasonQuantization, "a scale a channel, over which the compiler ends; rewrite fold-dequantize takes it away")
		}
	}
	return nil
}

// prepare sets what a vendor's libraries read from the environment when they are
// opened. OpenVINO on a PC's CPU computes in bfloat16 where the processor can, and
// a compiled model cannot say otherwise; sums of attention then differ in the
// second digit. Its own setting of the processor's instructions is the way out.
func prepare(v installed.Vendor) {
	const variable = "ONEDNN_MAX_CPU_ISA"
	if v.Name == "IntelOpenVINO" && os.Getenv(variable) == "" {
		_ = os.Setenv(variable, "AVX512_CORE_VNNI") // the name is a valid one
	}
}
