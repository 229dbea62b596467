package main

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"nanoflux/delegate"
)

// percent is a share without decimals where it is whole, and never rounded up
// to 100.
func percent(x float64) string {
	if x == 1 {
		return "100"
	}
	return fmt.Sprintf("%.1f", math.Floor(1000*x)/10)
}

// cells are the numbers of a row: shares in per cent without → with rewrites,
// segments in all, and the most of one block.
func (r row) cells() []string {
	perBlock := "–"
	if len(r.subject.blocks) > 0 {
		perBlock = fmt.Sprintf("%d → %d", r.plain.perBlock, r.with.perBlock)
	}
	both := func(before, after float64) string { return percent(before) + " → " + percent(after) }
	return []string{
		r.target.title, both(r.plain.all, r.with.all), both(r.plain.outside, r.with.outside), both(r.plain.ops, r.with.ops),
		fmt.Sprintf("%d → %d", r.plain.segments, r.with.segments), perBlock,
	}
}

var header = []string{"delegate", "MACs %", "outside attention %", "ops %", "segments", "of one block"}

// left says what is not on the device with the rewrites, the heaviest first.
func (r row) left() string {
	const most = 3
	var parts []string
	ruled := 0
	for _, f := range r.with.refused {
		switch {
		case f.why.Reason == delegate.ReasonRule:
			ruled += f.count
		case len(parts) < most:
			parts = append(parts, fmt.Sprintf("%d × %s (%s)", f.count, f.name, f.why.Detail))
		case len(parts) == most:
			parts = append(parts, "…")
		}
	}
	if ruled > 0 {
		parts = append(parts, fmt.Sprintf("by the profile's rules %d more operators", ruled))
	}
	return strings.Join(parts, "; ")
}

// title heads the rows of a model.
func (r row) title() string {
	macs, unit := r.with.macs/1e6, "M"
	for _, u := range []string{"G", "T"} {
		if macs >= 999.5 {
			macs, unit = macs/1000, u
		}
	}
	return fmt.Sprintf("%s, %s (%.3g %s MACs, %.1f %% of them attention)", r.subject.family, r.subject.part, macs, unit, 100*(1-r.with.linear/r.with.macs))
}

// sections calls start for the first row of each model, and each for all.
func sections(rows []row, start, each func(row), end func()) {
	for i, r := range rows {
		if i == 0 || rows[i-1].subject.part != r.subject.part || rows[i-1].subject.family != r.subject.family {
			if i > 0 {
				end()
			}
			start(r)
		}
		each(r)
	}
	end()
}

// plainText is the tables for a terminal.
func plainText(rows []row) string {
	var b strings.Builder
	var w *tabwriter.Writer
	sections(rows, func(r row) {
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintln(&b, r.title())
		w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  "+strings.Join(header, "\t"))
	}, func(r row) {
		fmt.Fprintln(w, "  "+strings.Join(r.cells(), "\t"))
	}, func() { w.Flush() })
	return b.String()
}

//go:embed head.md
var head string

// markdown is the tables for docs/coverage.md.
func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString(head)
	var left []string
	sections(rows, func(r row) {
		fmt.Fprintf(&b, "\n## %s\n| %s |\n|%s\n", r.title(), strings.Join(header, " | "), strings.Repeat("---|", len(header)))
		left = nil
	}, func(r row) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(), " | "))
		if l := r.left(); l != "" {
			left = append(left, fmt.Sprintf("- %s: %s", r.target.title, l))
		}
	}, func() {
		if len(left) > 0 {
			fmt.Fprintf(&b, "\nNot there after the rewrites:\n%s\n", strings.Join(left, "\n"))
		}
	})
	return b.String()
}
