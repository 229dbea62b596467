package support

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"text/tabwriter"

	"nanoflux/models/bundle/pocket"
)

var update = flag.Bool("update", false, "write testdata anew")

// The snapshot shows how many operators of the pocket model each table takes,
// and why it does not take the first of the others.
func TestMatrixOfThePocketModel(t *testing.T) {
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	tables := []string{"nnapi-28", "nnapi-29", "nnapi-31", "nnapi-fl6", "coreml-2", "coreml-3", "hexagon", "qnn-sm8350", "qnn-sm8650", "xnnpack"}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	for _, part := range slices.Sorted(maps.Keys(b.Manifest().Parts)) {
		m, err := b.Model(part)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%s\tops", part)
		for _, name := range tables {
			fmt.Fprintf(w, "\t%s", name)
		}
		fmt.Fprintln(w)
		ops := map[string][]int{}
		for i := range m.Subgraphs[0].Ops {
			name := m.Subgraphs[0].Ops[i].Name()
			ops[name] = append(ops[name], i)
		}
		for _, name := range slices.Sorted(maps.Keys(ops)) {
			fmt.Fprintf(w, "%s\t%d", name, len(ops[name]))
			for _, table := range tables {
				taken, why := 0, ""
				for _, op := range ops[name] {
					r := mustTable(t, table).Check(m, 0, op)
					switch {
					case r == nil:
						taken++
					case why == "":
						why = string(r.Reason)
					}
				}
				switch {
				case why == "":
					fmt.Fprint(w, "\tall")
				case taken == 0:
					fmt.Fprintf(w, "\t- %s", why)
				default:
					fmt.Fprintf(w, "\t%d %s", taken, why)
				}
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	const path = "testdata/matrix.txt"
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("differs from %s (go test -run Matrix -update writes it anew); got:\n%s", path, out.Bytes())
	}
}
