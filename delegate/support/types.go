package support

import (
	"fmt"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// letters are the short names of element types in the tables. Q8 is two types.
var letters = map[string][]graph.TensorType{
	"F":    {graph.Float32},
	"H":    {graph.Float16},
	"F64":  {graph.Float64},
	"I4":   {graph.Int4},
	"I8":   {graph.Int8},
	"U8":   {graph.Uint8},
	"Q8":   {graph.Uint8, graph.Int8},
	"I16":  {graph.Int16},
	"U16":  {graph.Uint16},
	"I32":  {graph.Int32},
	"U32":  {graph.Uint32},
	"I64":  {graph.Int64},
	"U64":  {graph.Uint64},
	"BOOL": {graph.Bool},
}

// typeSet is the element types that an operand may have.
type typeSet []levelType

// levelType is a type and the level from which it is taken.
type levelType struct {
	graph.TensorType
	from int
}

// typeSet reads "F,U8,I32@30".
func (p *parser) typeSet(s string) (set typeSet, err error) {
	for _, item := range strings.Split(s, ",") {
		letter, level, hasLevel := strings.Cut(item, "@")
		types, known := letters[letter]
		if !known {
			return nil, fmt.Errorf("no type %q", letter)
		}
		from := 0
		if hasLevel {
			if p.parseLevel == nil {
				return nil, fmt.Errorf("a level in %q", item)
			}
			if from, err = p.parseLevel(level); err != nil {
				return nil, err
			}
		}
		for _, t := range types {
			if set.index(t) >= 0 {
				return nil, fmt.Errorf("%v twice in %q", t, s)
			}
			set = append(set, levelType{t, from})
		}
	}
	return set, nil
}

func (s typeSet) index(t graph.TensorType) int {
	for i := range s {
		if s[i].TensorType == t {
			return i
		}
	}
	return -1
}

// names lists the types that a level has.
func (s typeSet) names(level int) string {
	var list []string
	for _, t := range s {
		if t.from <= level {
			list = append(list, t.String())
		}
	}
	if len(list) == 0 {
		return "none at this level"
	}
	return strings.Join(list, ", ")
}

func (s typeSet) check(x *operation, o *operand) *delegate.Refusal {
	i := s.index(o.tensor.Type)
	switch {
	case i < 0:
		return delegate.Refuse(delegate.ReasonType, "%v is %v; takes %s", o, o.tensor.Type, s.names(x.level))
	case s[i].from > x.level:
		return delegate.Refuse(delegate.ReasonLevel, "%v is %v, which needs %s; the device has %s", o, o.tensor.Type, x.levelName(s[i].from), x.levelName(x.level))
	}
	return nil
}

// typesByPlace is the part of a types column that names operands by their place.
func (p *parser) typesByPlace(s string) (list []typeSet, err error) {
	if s == "" || s == "any" {
		return nil, nil
	}
	for _, item := range strings.Fields(s) {
		if strings.Contains(item, "=") {
			break
		}
		set, err := p.typeSet(item)
		if err != nil {
			return nil, err
		}
		list = append(list, set)
	}
	return list, nil
}

// types reads the column of that name.
func (p *parser) types(s string) (list []constraint, err error) {
	if s == "" || s == "any" {
		return nil, nil
	}
	for i, item := range strings.Fields(s) {
		ref, types, named := strings.Cut(item, "=")
		if !named {
			ref, types = fmt.Sprintf("in%d", i), item
		}
		check, err := p.predicate([]string{"type", ref, types})
		if err != nil {
			return nil, err
		}
		list = append(list, constraint{predicate: check})
	}
	return list, nil
}
