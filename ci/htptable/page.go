package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate/support"
	"nanoflux/graph"
)

// head is what the page says before its tables.
//
//go:embed head.md
var head string

// write makes the page.
func write(list []question, answers [][]answer, rows []row) ([]byte, error) {
	var b bytes.Buffer
	taken, all := 0, 0
	for c := range answers {
		for _, a := range answers[c] {
			all++
			if a.Why == "" {
				taken++
			}
		}
	}
	fmt.Fprintf(&b, head, library(answers), len(forms), all, taken)
	fmt.Fprint(&b, "\n| operator |")
	for _, t := range asked {
		fmt.Fprintf(&b, " %v |", t)
	}
	fmt.Fprint(&b, "\n|---|", strings.Repeat("---|", len(asked)), "\n")
	for start := 0; start < len(rows); {
		end := start
		for end < len(rows) && rows[end].code == rows[start].code {
			end++
		}
		fmt.Fprintf(&b, "| %v |", rows[start].code)
		for _, t := range asked {
			fmt.Fprintf(&b, " %s |", cell(rows[start:end], t))
		}
		fmt.Fprintln(&b)
		start = end
	}
	messages(&b, rows)
	err := differences(&b, list, answers)
	return b.Bytes(), err
}

// cell says what is taken of a type: dimensions, and chips where not all take it.
func cell(rows []row, t graph.TensorType) string {
	var parts []string
	for i := range rows {
		if r := &rows[i]; r.typ == t {
			parts = append(parts, r.ranks()+": "+r.chips())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, "; ")
}

// chips says which chips take a row: "all", "none", "v69 on".
func (r *row) chips() string {
	n := 0
	for _, t := range r.takes {
		if t {
			n++
		}
	}
	switch n {
	case 0:
		return "–"
	case len(chips):
		return "all"
	}
	var list []string
	for c, t := range r.takes {
		if soc, err := support.FindSoC(chips[c]); err == nil && t {
			list = append(list, fmt.Sprintf("v%d", soc.HTP))
		}
	}
	if r.takes[len(chips)-1] && !slices.Contains(r.takes[len(chips)-n:], false) {
		return list[0] + " on"
	}
	return strings.Join(list, ", ")
}

// messages lists what is refused, by message.
func messages(b *bytes.Buffer, rows []row) {
	fmt.Fprint(b, "\n## What is refused, and how the compiler says it\n\n| message | operators |\n|---|---|\n")
	var order []string
	by := map[string][]string{}
	for i := range rows {
		r := &rows[i]
		if r.why == "" {
			continue
		}
		if by[r.why] == nil {
			order = append(order, r.why)
		}
		by[r.why] = append(by[r.why], fmt.Sprintf("%v %v %s (%s take it)", r.code, r.typ, r.ranks(), strings.Replace(r.chips(), "–", "none", 1)))
	}
	for _, why := range order {
		fmt.Fprintf(b, "| %s | %s |\n", strings.ReplaceAll(why, "|", "/"), strings.Join(by[why], "; "))
	}
}

// difference is one sort of disagreement between the compiler and the plugin's table.
type difference struct {
	// takes: the compiler does, and the table does not; or the reverse.
	takes bool
	why   string
}

// place is an operator that differs, with dimensions and versions of the HTP.
type place struct {
	code       graph.OpCode
	typ        graph.TensorType
	ranks, htp []int
}

func (p *place) String() string {
	text := fmt.Sprintf("%v %v %s", p.code, p.typ, span(p.ranks))
	if len(p.htp) == len(chips) {
		return text
	}
	return text + " (v" + strings.ReplaceAll(strings.Trim(fmt.Sprint(p.htp), "[]"), " ", " v") + ")"
}

// span writes numbers in order: 1-4, or 1 3.
func span(list []int) string {
	slices.Sort(list)
	if last := list[len(list)-1]; len(list) > 1 && last-list[0] == len(list)-1 {
		return fmt.Sprintf("%d-%d", list[0], last)
	}
	return strings.Trim(fmt.Sprint(list), "[]")
}

// differences compares with support's table of Qualcomm's plugin.
func differences(b *bytes.Buffer, list []question, answers [][]answer) error {
	var order []difference
	places := map[difference][]*place{}
	agree := 0
	for i, q := range list {
		for c, chip := range chips {
			t, err := support.QNN(support.QNNOptions{SoC: chip})
			if err != nil {
				return err
			}
			soc, err := support.FindSoC(chip)
			if err != nil {
				return err
			}
			old, why := t.Check(q.model, 0, q.op), answers[c][i].Why
			if (old == nil) == (why == "") {
				agree++
				continue
			}
			d := difference{why == "", explain(old, why)}
			if places[d] == nil {
				order = append(order, d)
			}
			places[d] = add(places[d], q, soc.HTP)
		}
	}
	fmt.Fprintf(b, "\n## Differences from the plugin's table\n\nThe two agree on %d of %d answers. On the others:\n\n", agree, len(list)*len(chips))
	fmt.Fprint(b, "| compiler | table | why | operators, of which dimensions, on which HTP (all where none is named) |\n|---|---|---|---|\n")
	for _, d := range order {
		compiler, table := "refuses", "takes"
		if d.takes {
			compiler, table = table, compiler
		}
		var words []string
		for _, p := range places[d] {
			words = append(words, p.String())
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", compiler, table, d.why, strings.Join(words, "; "))
	}
	return nil
}

// add notes a question among places; those of one operator and type follow each
// other.
func add(list []*place, q question, htp int) []*place {
	n := len(list) - 1
	if n < 0 || list[n].code != q.code || list[n].typ != q.typ {
		list = append(list, &place{code: q.code, typ: q.typ})
		n++
	}
	p := list[n]
	if !slices.Contains(p.ranks, q.rank) {
		p.ranks = append(p.ranks, q.rank)
	}
	if !slices.Contains(p.htp, htp) {
		p.htp = append(p.htp, htp)
	}
	return list
}
