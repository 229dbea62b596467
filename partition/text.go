package partition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"nanoflux/delegate"
)

// String is the plan as text for people: the backends, the segments as a table,
// what missed its place and why, and the warnings.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in %s, profile %s (policy %s)\n", p.Model,
		plural(p.Operators, "operator", "operators"), plural(len(p.Segments), "segment", "segments"), p.Profile, p.Policy)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nbackend\tkind\tsegments\tops\tMACs\tdevice\n")
	for _, s := range p.Backends {
		device := s.Device
		if s.Unavailable != "" {
			device = s.Unavailable
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", s.Name, s.Kind, s.Segments, s.Operators, count(s.MACs), device)
	}
	fmt.Fprintf(w, "\nsegment\tbackend\tops\tMACs\tin\tout\treason\n")
	for _, s := range p.Segments {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, s.Backend, clipOps(compress(s.Ops)), count(s.MACs),
			traffic(s.Inputs, s.BytesIn), traffic(s.Outputs, s.BytesOut), s.Reason)
	}
	w.Flush()
	for _, s := range p.Backends {
		if s.Answers != nil {
			fmt.Fprintf(&b, "\nanswers for %s: %s\n", s.Name, s.Answers)
		}
	}
	if len(p.Misses) > 0 {
		b.WriteString("\nnot on the preferred backend:\n")
		for _, g := range groupMisses(p.Misses) {
			why := g.refusal.Error()
			if g.refusal.Reason == delegate.ReasonRule {
				why = g.refusal.Detail // names the rule itself
			}
			fmt.Fprintf(&b, "  %s: %s: %s (op %s)\n", g.backend, g.what(), why, clipOps(compress(g.ops)))
		}
	}
	if len(p.Unused) > 0 {
		fmt.Fprintf(&b, "\nnot run, as no output depends on it: op %s\n", clipOps(compress(p.Unused)))
	}
	if len(p.Warnings) > 0 {
		b.WriteString("\nwarnings:\n")
		for _, line := range p.Warnings {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return trimLines(b.String())
}

// traffic is a number of tensors and their size: "2 (1.5 KiB)".
func traffic(tensors []int, bytes int64) string {
	return fmt.Sprintf("%d (%s)", len(tensors), size(bytes))
}

// size is a number of bytes with three digits.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, k := float64(n), 0
	for x >= 999.5 && k < len(units)-1 {
		x, k = x/1024, k+1
	}
	return digits(x, k > 0) + " " + units[k]
}

// count is a number with three digits: "12.3 M".
func count(n int64) string {
	units := []string{"", " k", " M", " G", " T", " P"}
	x, k := float64(n), 0
	for x >= 999.5 && k < len(units)-1 {
		x, k = x/1000, k+1
	}
	return digits(x, k > 0) + units[k]
}

func digits(x float64, fraction bool) string {
	switch {
	case fraction && x < 9.995:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case fraction && x < 99.95:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// compress writes ascending indices as ranges: "0-5, 9".
func compress(ops []int) string {
	var b strings.Builder
	for k := 0; k < len(ops); {
		end := k
		for end+1 < len(ops) && ops[end+1] == ops[end]+1 {
			end++
		}
		if k > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(ops[k]))
		if end > k {
			b.WriteString("-" + strconv.Itoa(ops[end]))
		}
		k = end + 1
	}
	return b.String()
}

// clipOps keeps a table's column from growing without end; the stored forms of
// a plan have all.
func clipOps(s string) string {
	const most = 48
	if len(s) <= most {
		return s
	}
	at := strings.LastIndexByte(s[:most], ',')
	return s[:at+1] + " …"
}

// trimLines cuts the spaces that end a table's lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(slices.Clip(lines), "\n")
}
