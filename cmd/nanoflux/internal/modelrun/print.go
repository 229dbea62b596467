package modelrun

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/graph"
)

// Print writes the result as text.
func (r *Result) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s: profile %s, %s, prepared in %s, ran in %s\n",
		plain(r.Model), r.Profile, facts.Count(len(r.Segments), "segment"), milliseconds(r.Prepare), milliseconds(r.Time))
	for _, share := range r.Backends {
		fmt.Fprintf(t, "  %s\n", plain(share.String()))
	}
	for _, o := range r.Outputs {
		values := "no range"
		if o.Low != nil {
			values = fmt.Sprintf("%.6g to %.6g", *o.Low, *o.High)
		}
		fmt.Fprintf(t, "  output %s\t%s\t%v\t%s\n", plain(o.Name), o.Type, o.Shape, values)
	}
	if r.Verified != nil {
		fmt.Fprintln(t, r.Verified)
	}
	if r.Reference != "" {
		fmt.Fprintf(t, "compared with %s\tvalues\tdiffering\tlargest\tof range\t\n", r.Reference)
	}
	for _, c := range r.Compared {
		verdict := "DIFFERS"
		switch {
		case c.Equal:
			verdict = "equal"
		case c.Passed:
			verdict = "within 1e-4 of the range"
		case c.NonFinite > 0:
			verdict = fmt.Sprintf("DIFFERS: %d not finite", c.NonFinite)
		}
		fmt.Fprintf(t, "  %s\t%d\t%d\t%.3g\t%.3g\t%s\n", plain(c.Output), c.Elements, c.Different, c.MaxAbs, c.Relative, verdict)
	}
	t.Flush()
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(math.Round(d.Seconds()*1e4)/10, 'g', -1, 64) + " ms"
}

// plain is s when all of it prints, and quoted otherwise.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// FileNames gives every output a file name of its own: its name with what a
// file system may not like made "_", and a number where two would be the same.
func (r *Result) FileNames() []string {
	names := make([]string, len(r.Outputs))
	taken := map[string]bool{}
	for i, o := range r.Outputs {
		base := strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
				return c
			}
			return '_'
		}, o.Name)
		base = strings.TrimLeft(base, ".")
		if len(base) > 100 {
			base = base[:100]
		}
		if base == "" {
			base = "output"
		}
		name := base + ".npy"
		for n := 2; taken[strings.ToLower(name)]; n++ { // some systems ignore case
			name = base + "-" + strconv.Itoa(n) + ".npy"
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

// WriteOutput writes output i as a .npy file.
func (r *Result) WriteOutput(w io.Writer, i int) error {
	a := r.Values[i]
	if a.Type == graph.BFloat16 { // NumPy has none; float32 holds every value
		wide := graph.NewArray(graph.Float32, a.Shape...)
		to := graph.View[uint32](wide.Data)
		for k, v := range graph.View[uint16](a.Data) {
			to[k] = uint32(v) << 16
		}
		a = wide
	}
	return npy.Encode(w, a)
}
