package support

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// The tables. Each line is a row of cells between bars; a line that begins with
// # is a comment, the first line names the columns:
//
//	op           operator, as the format spells it; * for constraints of all
//	code         its number
//	level        the lowest NNAPI feature level; empty where there is none
//	version      the highest operator version: 2, ==2, "2 named=3" (3 when an
//	             accelerator is named), or any
//	types        element types of the inputs, in their order: F,I8,I32@30 (INT32
//	             from level 30 on), "any", or in1=F for a later input
//	constraints  separated by semicolons: [CONDITION & … :] NAME ARGUMENT …
//
// constraint.go has the conditions and lists the constraints.
//
//go:embed data/*.psv
var files embed.FS

const columns = "#op|code|level|version|types|constraints"

// rows are what a file says.
type rows struct {
	byCode map[graph.OpCode]*row
	all    []constraint // of every operator
}

// row is what a delegate asks of one operator.
type row struct {
	level       int
	version     version
	constraints []constraint // types first
	// types of the operands that the types column names by their place.
	types []typeSet
}

// loaded makes a reader of a file that parses it once. A mistake in a file
// inside the program is a mistake of the program, and every table is read by a
// test: so it panics.
func loaded(name string, parseLevel func(string) (int, error)) func() *rows {
	return sync.OnceValue(func() *rows {
		data, err := files.ReadFile("data/" + name)
		if err == nil {
			var r *rows
			if r, err = parseRows(string(data), parseLevel); err == nil {
				return r
			}
		}
		panic(fmt.Sprintf("support: %s: %v", name, err))
	})
}

// parseRows reads a table. parseLevel reads a level; nil when there are none.
func parseRows(text string, parseLevel func(string) (int, error)) (*rows, error) {
	lines, err := cells(text, columns)
	if err != nil {
		return nil, err
	}
	r := &rows{byCode: map[graph.OpCode]*row{}}
	for _, l := range lines {
		if err := r.add(l.cells, parseLevel); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
	}
	return r, nil
}

func (r *rows) add(cells []string, parseLevel func(string) (int, error)) error {
	p := parser{parseLevel: parseLevel}
	name, number, level, version, types, constraints := cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]
	if name == "*" {
		if number+level+version+types != "" {
			return fmt.Errorf("* has constraints only")
		}
		list, err := p.constraints(constraints)
		r.all = append(r.all, list...)
		return err
	}
	code, known := schema.EnumValuesBuiltinOperator[name]
	if !known || strconv.Itoa(int(code)) != number {
		return fmt.Errorf("%s is not operator %s", name, number)
	}
	if r.byCode[code] != nil {
		return fmt.Errorf("%s twice", name)
	}
	p.code = code
	row := &row{}
	var err error
	if (level != "") != (parseLevel != nil) {
		return fmt.Errorf("%s: level %q", name, level)
	}
	if level != "" {
		if row.level, err = parseLevel(level); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if row.version, err = parseVersion(version); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ofTypes, err := p.types(types)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if row.types, err = p.typesByPlace(types); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	others, err := p.constraints(constraints)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	row.constraints = slices.Concat(ofTypes, others)
	r.byCode[code] = row
	return nil
}

// line is one row of a file.
type line struct {
	number int
	cells  []string
}

// cells splits a file, whose first line must be header.
func cells(text, header string) (list []line, err error) {
	n := strings.Count(header, "|") + 1
	first := true
	for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case first && l != header:
			return nil, fmt.Errorf("line %d: the columns are %q, must be %q", i+1, l, header)
		case first:
			first = false
			continue
		case strings.HasPrefix(l, "#"):
			continue
		}
		c := strings.Split(l, "|")
		if len(c) != n {
			return nil, fmt.Errorf("line %d: %d cells, must be %d", i+1, len(c), n)
		}
		for _, cell := range c {
			if strings.TrimSpace(cell) != cell {
				return nil, fmt.Errorf("line %d: blanks around %q", i+1, cell)
			}
		}
		list = append(list, line{i + 1, c})
	}
	return list, nil
}

// version is the operator versions that a delegate takes.
type version struct {
	most  int // 0 for all
	named int // instead of most, when an NNAPI accelerator is named; 0 for none
	only  bool
}

func parseVersion(s string) (v version, err error) {
	if s == "any" {
		return version{}, nil
	}
	number, named, isNamed := strings.Cut(s, " named=")
	number, v.only = strings.CutPrefix(number, "==")
	if v.most, err = strconv.Atoi(number); err != nil || v.most < 1 {
		return v, fmt.Errorf("version %q", s)
	}
	if isNamed {
		if v.named, err = strconv.Atoi(named); err != nil || v.named < v.most || v.only {
			return v, fmt.Errorf("version %q", s)
		}
	}
	return v, nil
}

func (v version) check(x *operation) *delegate.Refusal {
	most := v.most
	if v.named > 0 && x.named {
		most = v.named
	}
	switch {
	case most == 0, x.op.Version <= most && !v.only, x.op.Version == most:
		return nil
	case v.only:
		return delegate.Refuse(delegate.ReasonVersion, "version %d of %s; takes version %d only", x.op.Version, x.op.Name(), most)
	case v.named > x.op.Version-1:
		return delegate.Refuse(delegate.ReasonVersion, "version %d of %s; takes up to %d, or %d when an accelerator is named", x.op.Version, x.op.Name(), most, v.named)
	}
	return delegate.Refuse(delegate.ReasonVersion, "version %d of %s; takes up to %d", x.op.Version, x.op.Name(), most)
}
