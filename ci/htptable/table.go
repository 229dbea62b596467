package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate/support"
	"nanoflux/graph"
)

// letters are the tables' names of types.
var letters = map[graph.TensorType]string{graph.Float32: "F", graph.Int8: "I8", graph.Uint8: "U8", graph.Int16: "I16", graph.Int32: "I32", graph.Bool: "BOOL"}

// row is one of the table: dimensions with the same answers.
type row struct {
	code      graph.OpCode
	typ       graph.TensorType
	low, high int
	takes     []bool // by chip
	why       string // of the last chip that does not
}

// fold joins the answers of neighbouring dimensions.
func fold(list []question, answers [][]answer) (rows []row) {
	for i, q := range list {
		r := row{code: q.code, typ: q.typ, low: q.rank, high: q.rank}
		for c := range chips {
			a := answers[c][i]
			r.takes = append(r.takes, a.Why == "")
			if a.Why != "" {
				r.why = a.Why
			}
		}
		if n := len(rows) - 1; n >= 0 {
			p := &rows[n]
			if p.code == r.code && p.typ == r.typ && p.high+1 == r.low && p.why == r.why && slices.Equal(p.takes, r.takes) {
				p.high = r.high
				continue
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func (r *row) ranks() string {
	if r.low == r.high {
		return fmt.Sprint(r.low)
	}
	return fmt.Sprintf("%d-%d", r.low, r.high)
}

// table is the file of support's table.
func table(rows []row, answers [][]answer) []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "#op|code|type|ranks|htp|message")
	fmt.Fprintf(&b, "# Made by make htp-table, of the answers of %s. Do not edit.\n", library(answers))
	for i := range rows {
		r := &rows[i]
		var htp []string
		for c, chip := range chips {
			if soc, err := support.FindSoC(chip); err == nil && r.takes[c] {
				htp = append(htp, fmt.Sprint(soc.HTP))
			}
		}
		takes := strings.Join(htp, " ")
		if takes == "" {
			takes = "-"
		}
		fmt.Fprintf(&b, "%v|%d|%s|%s|%s|%s\n", r.code, r.code, letters[r.typ], r.ranks(), takes, r.why)
	}
	return b.Bytes()
}

// library is the version of the compiler that answered.
func library(answers [][]answer) string {
	for _, a := range answers[0] {
		if a.Library != "" {
			return a.Library
		}
	}
	return "Qualcomm's compiler"
}
