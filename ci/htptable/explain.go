package main

import (
	"strings"

	"nanoflux/delegate"
)

// explain says in a clause why the compiler's answer, why, differs from that of the
// plugin's table. r is the table's refusal, nil where the compiler refuses.
func explain(r *delegate.Refusal, why string) string {
	switch {
	case r != nil && r.Reason == delegate.ReasonOp:
		return "the plugin has no builder for it; backend qnn writes it as other operators of QNN"
	case r != nil && r.Reason == delegate.ReasonSoC:
		return "the chip computes no floats, and the compiler takes operators of floats only by themselves, as said above"
	case r != nil:
		return "a demand of the plugin's builder and not of the compiler: " + r.Detail
	case strings.HasPrefix(why, notWritten):
		return "QNN may have it, but it cannot be written as ONNX: " + strings.TrimPrefix(why, notWritten)
	case strings.Contains(why, "Type Error"), strings.Contains(why, "NOT_IMPLEMENTED"):
		return "QNN is not reached: ONNX has no such operator for this type"
	case strings.Contains(why, "QNN error 3110"):
		return "the plugin lists operators without types and dimensions, and QNN's check of the operator, which comes after the plugin too, refuses this one"
	case strings.Contains(why, "Failed to finalize"):
		return "QNN's check of the operator takes it, and the compiler then fails to make the graph (QNN_COMMON_ERROR_MEM_ALLOC)"
	case strings.Contains(why, "does not answer"):
		return "the plugin's list knows nothing of mistakes in the compiler"
	}
	return "the plugin lists operators, and the provider says: " + why
}
