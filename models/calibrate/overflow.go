package calibrate

import (
	"fmt"

	"nanoflux/graph"
)

// LargestHalf is the largest float16.
const LargestHalf = 65504

// Overflow is an operator whose result does not fit float16.
type Overflow struct {
	// Op names the operator for people.
	Op string `json:"op"`
	// Range is what calibration saw.
	Range Range `json:"range"`
}

func (o Overflow) String() string {
	return fmt.Sprintf("%s gives %.3g to %.3g, and float16 ends at %d", o.Op, o.Range.Min, o.Range.Max, LargestHalf)
}

// Overflows are the operators of a model's first subgraph whose ranges
// (Quantization.Min and Max) go beyond float16, in their order.
func Overflows(m *graph.Model) (list []Overflow) {
	g := &m.Subgraphs[0]
	for i, op := range g.Ops {
		for _, t := range op.Outputs {
			if t < 0 {
				continue
			}
			q := g.Tensors[t].Quantization
			if q == nil || len(q.Scale) > 0 || len(q.Min) != 1 || len(q.Max) != 1 {
				continue
			}
			if r := (Range{q.Min[0], q.Max[0]}); r.Min < -LargestHalf || r.Max > LargestHalf {
				list = append(list, Overflow{m.OpLabel(0, i), r})
			}
		}
	}
	return list
}
