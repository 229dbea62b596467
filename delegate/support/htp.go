package support

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// htpRow is what Qualcomm's compiler answered to one operator of one element type
// and number of dimensions.
type htpRow struct {
	low, high int   // dimensions
	takes     []int // versions of the HTP that take it
	why       string
}

// htpAnswers are the rows of an operator, by element type.
type htpAnswers map[graph.TensorType][]htpRow

const htpColumns = "#op|code|type|ranks|htp|message"

// htpAsked are the versions of the HTP that were asked.
var htpAsked = []int{68, 69, 73, 75, 79, 81}

var htpRows = sync.OnceValue(func() map[graph.OpCode]htpAnswers {
	data, err := files.ReadFile("data/qnn-htp.psv")
	if err == nil {
		var rows map[graph.OpCode]htpAnswers
		if rows, err = parseHTP(string(data)); err == nil {
			return rows
		}
	}
	panic(fmt.Sprintf("support: qnn-htp.psv: %v", err)) // see loaded
})

// parseHTP reads the answers: operator and number, element type, dimensions (3 or
// 1-4), versions of the HTP with blanks between ("-" for none), and what the
// compiler says on the others.
func parseHTP(text string) (map[graph.OpCode]htpAnswers, error) {
	lines, err := cells(text, htpColumns)
	if err != nil {
		return nil, err
	}
	rows := map[graph.OpCode]htpAnswers{}
	for _, l := range lines {
		if err := addHTP(rows, l.cells); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return rows, nil
}

func addHTP(rows map[graph.OpCode]htpAnswers, cells []string) (err error) {
	code, known := schema.EnumValuesBuiltinOperator[cells[0]]
	if !known || strconv.Itoa(int(code)) != cells[1] {
		return fmt.Errorf("%s is not operator %s", cells[0], cells[1])
	}
	types := letters[cells[2]]
	if len(types) != 1 {
		return fmt.Errorf("no type %q", cells[2])
	}
	r := htpRow{why: cells[5]}
	low, high, isRange := strings.Cut(cells[3], "-")
	if !isRange {
		high = low
	}
	if r.low, err = strconv.Atoi(low); err != nil {
		return fmt.Errorf("ranks %q", cells[3])
	}
	if r.high, err = strconv.Atoi(high); err != nil || r.low < 1 || r.high < r.low {
		return fmt.Errorf("ranks %q", cells[3])
	}
	if cells[4] != "-" {
		for _, v := range strings.Split(cells[4], " ") {
			n, err := strconv.Atoi(v)
			if err != nil || !slices.Contains(htpAsked, n) || slices.Contains(r.takes, n) {
				return fmt.Errorf("HTP %q", cells[4])
			}
			r.takes = append(r.takes, n)
		}
	}
	if (r.why == "") != (len(r.takes) == len(htpAsked)) {
		return fmt.Errorf("%s: message %q", cells[0], r.why)
	}
	if rows[code] == nil {
		rows[code] = htpAnswers{}
	}
	for _, other := range rows[code][types[0]] {
		if r.low <= other.high && other.low <= r.high {
			return fmt.Errorf("%s: ranks %q twice", cells[0], cells[3])
		}
	}
	rows[code][types[0]] = append(rows[code][types[0]], r)
	return nil
}

// HTPOperand is the element type and the number of dimensions by which Qualcomm's
// compiler is asked about an operator: the type of the first input, or else
// output, that is computed and is of floats or quantized, or else of the first
// that is computed; the most dimensions of all that are computed, at least 1. A
// CAST goes by its input, and the condition of a SELECT does not count.
func HTPOperand(m *graph.Model, sub, op int) (t graph.TensorType, rank int) {
	g := &m.Subgraphs[sub]
	o := &g.Ops[op]
	rank = 1
	found, sure := false, false
	for place, i := range slices.Concat(o.Inputs, o.Outputs) {
		if i == graph.NoTensor || m.IsConstant(sub, i) {
			continue
		}
		x := &g.Tensors[i]
		rank = max(rank, len(x.Shape))
		if place == 0 && (o.Code == schema.BuiltinOperatorSELECT || o.Code == schema.BuiltinOperatorSELECT_V2) {
			continue
		}
		isReal := x.Type == graph.Float32 || x.Quantization != nil && len(x.Quantization.Scale) > 0
		if !found || isReal && !sure {
			t = x.Type
		}
		found, sure = true, sure || isReal || o.Code == schema.BuiltinOperatorCAST
	}
	return t, rank
}

// htp is the table of a chip by its compiler's answers. It implements
// delegate.Table.
type htp struct {
	soc    SoC
	floats graph.TensorType
}

// FirstFloats is the first HTP that computes floats. The compiler takes most
// operators of floats for v68 too, by themselves, and not models of them.
const FirstFloats = 69

// HTP is what Qualcomm's compiler takes for a chip's NPU, as `make htp-table` asked
// it. It knows operators by themselves, of the sizes that were asked, and not
// whether the operator can be written for the compiler at all. Errors are QNN's.
func HTP(o QNNOptions) (delegate.Table, error) {
	soc, err := qnnSoC(o.SoC)
	if err != nil {
		return nil, err
	}
	return &htp{soc, o.Floats}, nil
}

func (h *htp) Check(m *graph.Model, sub, op int) *delegate.Refusal {
	o := &m.Subgraphs[sub].Ops[op]
	if o.Code == schema.BuiltinOperatorDEQUANTIZE && len(o.Inputs) == 1 && m.IsConstant(sub, o.Inputs[0]) {
		return nil // a constant to the compiler
	}
	answers, known := htpRows()[o.Code]
	if !known {
		return delegate.Refuse(delegate.ReasonOp, "Qualcomm's compiler was not asked about %s", o.Name())
	}
	t, rank := HTPOperand(m, sub, op)
	if t == graph.Float32 {
		t = h.floats
	}
	if t == graph.Float32 && h.soc.HTP < FirstFloats {
		return delegate.Refuse(delegate.ReasonSoC, "%s of floats; the HTP v%d of %s takes integers, from v%d on it takes floats", o.Name(), h.soc.HTP, h.soc.Model, FirstFloats)
	}
	rows, known := answers[t]
	if !known {
		return delegate.Refuse(delegate.ReasonType, "Qualcomm's compiler was not asked about %s of %v", o.Name(), t)
	}
	for _, r := range rows {
		switch {
		case rank < r.low || rank > r.high:
		case slices.Contains(r.takes, h.soc.HTP):
			return nil
		case len(r.takes) > 0:
			return delegate.Refuse(delegate.ReasonSoC, "%s of %v and %d dimensions on the HTP v%d of %s: %s", o.Name(), t, rank, h.soc.HTP, h.soc.Model, r.why)
		case len(rows) > 1:
			return delegate.Refuse(delegate.ReasonRank, "%s of %v and %d dimensions: %s", o.Name(), t, rank, r.why)
		default:
			return delegate.Refuse(delegate.ReasonType, "%s of %v: %s", o.Name(), t, r.why)
		}
	}
	return delegate.Refuse(delegate.ReasonRank, "Qualcomm's compiler was not asked about %s of %v and %d dimensions", o.Name(), t, rank)
}
