package support

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// tested are the files, each with the devices on which its rows are tried, and
// how it reads levels.
var tested = []struct {
	file       string
	parseLevel func(string) (int, error)
	tables     []string
}{
	{"nnapi.psv", parseLevel, []string{"nnapi-27", "nnapi-28", "nnapi-29", "nnapi-30", "nnapi-31", "nnapi-fl6", "nnapi-fl7", "nnapi-fl8"}},
	{"coreml.psv", nil, []string{"coreml-2"}},
	{"hexagon.psv", nil, []string{"hexagon"}},
	{"qnn.psv", nil, []string{"qnn-sm8650"}},
	{"xnnpack.psv", nil, []string{"xnnpack"}},
}

// written is a row as it stands in its file.
type written struct {
	parser
	name        string
	constraints []string // those of the column types first, then of * and of its own
}

func writtenRows(t *testing.T, file string, parseLevel func(string) (int, error)) (list []written) {
	t.Helper()
	data, err := files.ReadFile("data/" + file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := cells(string(data), columns)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lines {
		w := written{name: l.cells[0], parser: parser{parseLevel: parseLevel}}
		split := func(s string) (list []string) {
			for _, c := range strings.Split(s, ";") {
				if c = strings.TrimSpace(c); c != "" {
					list = append(list, c)
				}
			}
			return list
		}
		if w.name == "*" {
			all = split(l.cells[5])
			continue
		}
		w.code = schema.EnumValuesBuiltinOperator[w.name]
		for i, item := range strings.Fields(l.cells[4]) {
			switch ref, set, named := strings.Cut(item, "="); {
			case named:
				w.constraints = append(w.constraints, "type "+ref+" "+set)
			case item != "any":
				w.constraints = append(w.constraints, fmt.Sprintf("type in%d %s", i, item))
			}
		}
		w.constraints = append(append(w.constraints, all...), split(l.cells[5])...)
		list = append(list, w)
	}
	return list
}

func TestEveryRowNamesAnOperatorOfTheFormat(t *testing.T) {
	for _, f := range tested {
		rows := writtenRows(t, f.file, f.parseLevel)
		if len(rows) < 20 {
			t.Errorf("%s: only %d rows", f.file, len(rows))
		}
		for _, w := range rows {
			if code, known := schema.EnumValuesBuiltinOperator[w.name]; !known || code.String() != w.name {
				t.Errorf("%s: %s is no operator", f.file, w.name)
			}
		}
	}
}

// Each constraint of each row is broken alone, and refuses with its reason. A
// new row or constraint is tried without a new test.
func TestEveryRowTakesASampleAndEachOfItsConstraintsRefuses(t *testing.T) {
	for _, f := range tested {
		for _, w := range writtenRows(t, f.file, f.parseLevel) {
			t.Run(f.file+" "+w.name, func(t *testing.T) {
				accepted := slices.ContainsFunc(f.tables, func(name string) bool {
					tab := mustTable(t, name)
					return tab.Check(w.sample(t, tab), 0, 0) == nil
				})
				if never := slices.ContainsFunc(w.constraints, func(c string) bool { return strings.HasPrefix(c, "never") }); accepted == never {
					last := mustTable(t, f.tables[len(f.tables)-1])
					t.Fatalf("the sample is taken: %v; on the last device: %v", accepted, last.Check(w.sample(t, last), 0, 0))
				}
				for _, text := range w.constraints {
					if accepted && !slices.ContainsFunc(f.tables, func(name string) bool { return w.breaks(t, mustTable(t, name), text) }) {
						t.Errorf("nothing breaks %q", text)
					}
				}
			})
		}
	}
}

func mustTable(t *testing.T, name string) *table {
	t.Helper()
	tab, err := ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return tab.(*table)
}

// sample is the operator's sample with types that this row takes.
func (w *written) sample(t *testing.T, tab *table) *graph.Model {
	t.Helper()
	m := sampleModel(t, w.code)
	if w.code == schema.BuiltinOperatorPADV2 && tab.rows == nnapiRows() && tab.level < 29 {
		w.resize(t, m, 2) // the only form that old levels could take
	}
	for _, text := range w.constraints {
		name, args, plain := splitConstraint(text)
		if plain != "" {
			continue
		}
		switch name {
		case "type":
			set, err := w.typeSet(args[1])
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range operandIDs(m, args[0]) {
				if have := m.Subgraphs[0].Tensors[id].Type; set.index(have) < 0 || set[set.index(have)].from > tab.level {
					i := slices.IndexFunc(set, func(l levelType) bool { return l.from <= tab.level })
					setType(m, id, set[max(i, 0)].TensorType)
				}
			}
		case "name":
			if w.code == schema.BuiltinOperatorSTABLEHLO_COMPOSITE {
				first, _, _ := strings.Cut(args[0], ",")
				m.Subgraphs[0].Ops[0].Options = &schema.StableHLOCompositeOptionsT{Name: first}
			}
		case "same-type":
			ids := operandIDs(m, args[0])
			for _, id := range ids {
				setType(m, id, m.Subgraphs[0].Tensors[ids[0]].Type)
			}
		}
	}
	if r := tab.rows.byCode[w.code]; r.version.only {
		m.Subgraphs[0].Ops[0].Version = r.version.most
	}
	return m
}

// breaks breaks one constraint on a sample that meets its conditions, and
// checks that it refuses with its reason. It returns false when the conditions
// or the rest of the row cannot be met on this device.
func (w *written) breaks(t *testing.T, tab *table, text string) bool {
	t.Helper()
	name, args, conditions := splitConstraint(text)
	c, err := w.constraint(text)
	if err != nil {
		t.Fatal(err)
	}
	m := w.sample(t, tab)
	w.meet(t, m, conditions)
	x := look(m, 0, 0, &tab.device)
	for _, holds := range c.when {
		if !holds(x) {
			return false
		}
	}
	if name != "never" && tab.Check(m, 0, 0) != nil {
		return false
	}
	if name == "coreml-version" {
		tab = mustTable(t, "coreml-3")
	} else if name == "soc-types" {
		setType(m, operandIDs(m, args[0])[0], graph.Float32)
		tab = mustTable(t, "qnn-sm8350")
	} else if !w.spoil(t, tab, m, name, args) {
		return false
	}
	r := c.check(look(m, 0, 0, &tab.device))
	if r == nil {
		return false
	}
	want := reasonOf[name]
	if c.until > 0 {
		want = delegate.ReasonLevel
	}
	if r.Reason != want && (name != "same-type" || r.Reason != delegate.ReasonHybrid) {
		t.Errorf("%q refuses by %v, must be %s", text, r, want)
	}
	if r.Detail == "" || strings.Contains(r.Detail, "%!") {
		t.Errorf("%q refuses with the detail %q", text, r.Detail)
	}
	if tab.Check(m, 0, 0) == nil {
		t.Errorf("%q refuses (%v), its table does not", text, r)
	}
	return true
}

// reasonOf is the reason that each constraint gives.
var reasonOf = map[string]delegate.Reason{
	"inputs": delegate.ReasonOperand, "outputs": delegate.ReasonOperand, "present": delegate.ReasonOperand,
	"const": delegate.ReasonConstant, "not-const": delegate.ReasonConstant, "scalar-const": delegate.ReasonConstant,
	"type": delegate.ReasonType, "not-type": delegate.ReasonType, "same-type": delegate.ReasonType,
	"rank": delegate.ReasonRank, "same-rank": delegate.ReasonRank, "new-shape": delegate.ReasonRank,
	"dim": delegate.ReasonShape, "elements": delegate.ReasonShape, "nonzero-dims": delegate.ReasonShape, "same-shape": delegate.ReasonShape,
	"square-output": delegate.ReasonShape, "no-groups": delegate.ReasonShape, "single-batch": delegate.ReasonShape,
	"no-batch-broadcast": delegate.ReasonShape, "coreml-broadcast": delegate.ReasonShape,
	"values": delegate.ReasonOption, "nonzero-values": delegate.ReasonOption, "fits-int32": delegate.ReasonOption, "axes": delegate.ReasonOption,
	"no-padding": delegate.ReasonOption, "pooling-axes": delegate.ReasonOption, "option": delegate.ReasonOption, "filter-area": delegate.ReasonOption, "not-last-axis": delegate.ReasonOption,
	"last-axis": delegate.ReasonOption, "squeeze-dims": delegate.ReasonOption, "one-multiplier": delegate.ReasonOption, "normal-alpha": delegate.ReasonOption,
	"activation": delegate.ReasonActivation, "name": delegate.ReasonOp, "never": delegate.ReasonOp,
	"max-version": delegate.ReasonVersion, "coreml-version": delegate.ReasonLevel, "not-hybrid": delegate.ReasonHybrid,
	"per-tensor": delegate.ReasonQuantization, "channels-along": delegate.ReasonQuantization, "zero-point": delegate.ReasonQuantization,
	"positive-scale": delegate.ReasonQuantization, "same-quantization": delegate.ReasonQuantization, "quantization": delegate.ReasonQuantization,
	"restricted-scales": delegate.ReasonQuantization, "scale-ratio": delegate.ReasonQuantization, "quantized": delegate.ReasonQuantization,
	"soc-types": delegate.ReasonSoC,
}

func TestEveryConstraintHasAReasonHereAndIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, f := range tested {
		for _, w := range writtenRows(t, f.file, f.parseLevel) {
			for _, text := range w.constraints {
				name, _, _ := splitConstraint(text)
				used[name] = true
			}
		}
	}
	for name := range makers {
		if !used[name] || reasonOf[name] == "" {
			t.Errorf("%s: used by a row: %v, reason %q", name, used[name], reasonOf[name])
		}
	}
}

// splitConstraint splits "CONDITIONS: NAME ARGUMENTS".
func splitConstraint(text string) (name string, args []string, conditions string) {
	before, rest, found := strings.Cut(text, ":")
	if !found {
		before, rest = "", text
	}
	f := strings.Fields(rest)
	return f[0], f[1:], before
}

// operandIDs are the tensors that a reference names.
func operandIDs(m *graph.Model, reference string) (ids []int) {
	r, err := parseRefs(reference)
	if err != nil {
		panic(err)
	}
	o := &m.Subgraphs[0].Ops[0]
	for _, one := range r {
		side := o.Inputs
		if one.output {
			side = o.Outputs
		}
		for i, id := range side {
			if (one.number < 0 || one.number == i) && id != graph.NoTensor {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
