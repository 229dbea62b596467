package support

import (
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/profiles/nearest"
)

// Table is what one delegate takes on one sort of device. It is read-only and
// may be used from any goroutine.
//
// Check counts a DEQUANTIZE that the delegate folds into its consumers as taken.
type Table interface {
	delegate.Table
	// Name is what ByName finds it by: "nnapi-29", "qnn-sm8650".
	Name() string
	// Operators are those that the table has, without what it asks of them but
	// versions and types.
	Operators() []Operator
}

// Operator is an operator of a table.
type Operator struct {
	Code graph.OpCode
	// MostVersion is the newest version that is taken; 0 for all.
	MostVersion int
	// Types are the element types of the first inputs; empty for any.
	Types [][]graph.TensorType
}

// table is the only Table: the rows of a file, seen from one device.
type table struct {
	name  string
	title string // for people: "NNAPI", "Hexagon"
	rows  *rows
	device
}

// device is what rows and constraints may depend on besides the operator.
type device struct {
	// level is the NNAPI feature level or the Core ML version; 0 where there
	// is none.
	level int
	// levelName spells a level for people.
	levelName func(int) string
	// named: an NNAPI accelerator is named, so that NNAPI's own CPU
	// implementation is never used.
	named bool
	// folds says through which DEQUANTIZE of a constant the delegate looks.
	folds folding
	// resizes: shapes that are only known at run time are taken.
	resizes bool
	// soc is the chip, for QNN.
	soc *SoC
}

// folding is how a delegate treats DEQUANTIZE of a constant (see the package's
// comment).
type folding int

const (
	foldsNothing folding = iota
	readsHalf            // the consumer reads the FLOAT16 constant itself
	unpacks              // FLOAT16 and INT8 constants become FLOAT32 ones
)

func (t *table) Name() string { return t.name }

func (t *table) Operators() []Operator {
	var list []Operator
	for code, r := range t.rows.byCode {
		if r.level > t.level {
			continue
		}
		o := Operator{Code: code, MostVersion: r.version.most}
		if t.named && r.version.named > 0 {
			o.MostVersion = r.version.named
		}
		for _, set := range r.types {
			var types []graph.TensorType
			for _, lt := range set {
				if lt.from <= t.level {
					types = append(types, lt.TensorType)
				}
			}
			o.Types = append(o.Types, types)
		}
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Operator) int { return int(a.Code) - int(b.Code) })
	return list
}

func (t *table) Check(m *graph.Model, sub, op int) *delegate.Refusal {
	o := &m.Subgraphs[sub].Ops[op]
	if o.Code == schema.BuiltinOperatorDEQUANTIZE && t.folded(m, sub, o) {
		return nil
	}
	r, known := t.rows.byCode[o.Code]
	if !known {
		return delegate.Refuse(delegate.ReasonOp, "%s has no %s", t.title, o.Name())
	}
	x := look(m, sub, op, &t.device)
	if t.level < r.level {
		return delegate.Refuse(delegate.ReasonLevel, "%s needs %s; the device has %s", o.Name(), t.levelName(r.level), t.levelName(t.level))
	}
	if refusal := r.version.check(x); refusal != nil {
		return refusal
	}
	if refusal := t.general(x); refusal != nil {
		return refusal
	}
	for _, list := range [][]constraint{t.rows.all, r.constraints} {
		for i := range list {
			if refusal := list[i].check(x); refusal != nil {
				return refusal
			}
		}
	}
	return nil
}

// folded reports whether the delegate folds this DEQUANTIZE into its consumers.
func (t *table) folded(m *graph.Model, sub int, o *graph.Op) bool {
	g := &m.Subgraphs[sub]
	return len(o.Inputs) == 1 && m.IsConstant(sub, o.Inputs[0]) && t.folds.folds(&g.Tensors[o.Inputs[0]]) &&
		len(o.Outputs) == 1 && !slices.Contains(g.Outputs, o.Outputs[0]) // nobody would write it
}

// general is what holds for every operator of every table.
func (t *table) general(x *operation) *delegate.Refusal {
	for _, list := range [][]operand{x.in, x.out} {
		for i := range list {
			o := &list[i]
			if o.absent() {
				continue
			}
			if !t.resizes && slices.Contains(o.tensor.ShapeSignature, -1) {
				return delegate.Refuse(delegate.ReasonDynamic, "%v has the shape %v; every size must be fixed", o, o.tensor.ShapeSignature)
			}
			if o.tensor.Sparsity != nil && x.op.Code != schema.BuiltinOperatorDENSIFY {
				return delegate.Refuse(delegate.ReasonConstant, "%v is sparse; takes dense tensors", o)
			}
			if q := o.tensor.Quantization; q != nil && q.Details != nil {
				return delegate.Refuse(delegate.ReasonQuantization, "%v is not quantized by scale and zero point", o)
			}
		}
	}
	return nil
}

// ByName finds a table by its name: "nnapi-29", "coreml-3", "hexagon",
// "qnn-sm8650", "xnnpack". Case does not count. The error names the nearest one.
//
// nnapi-LEVEL is without a named accelerator; the runtime feature levels 6 to 8
// go by "nnapi-fl6" or by their number, "nnapi-1000006".
func ByName(name string) (Table, error) {
	lower := strings.ToLower(name)
	if level, found := strings.CutPrefix(lower, "nnapi-"); found {
		for _, l := range levels {
			if level == shortLevel(l) || level == fmt.Sprint(l) {
				return NNAPI(NNAPIOptions{Level: l})
			}
		}
	}
	if soc, found := strings.CutPrefix(lower, "qnn-"); found {
		return QNN(QNNOptions{SoC: soc})
	}
	switch lower {
	case "coreml-2":
		return CoreML(CoreMLOptions{Version: 2})
	case "coreml-3":
		return CoreML(CoreMLOptions{Version: 3})
	case "hexagon":
		return Hexagon(), nil
	case "xnnpack":
		return XNNPACK(), nil
	}
	if near, ok := nearest.Word(lower, Names()); ok {
		return nil, fmt.Errorf("no support table %q; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("no support table %q; there are nnapi-LEVEL, coreml-2, coreml-3, hexagon, qnn-SOC and xnnpack", name)
}

// Names are the names of all tables, sorted.
func Names() []string {
	names := []string{"coreml-2", "coreml-3", "hexagon", "xnnpack"}
	for _, l := range levels {
		names = append(names, "nnapi-"+shortLevel(l))
	}
	for _, s := range socs() {
		if s.HTP >= firstQNN {
			names = append(names, "qnn-"+strings.ToLower(s.Model))
		}
	}
	slices.Sort(names)
	return names
}
