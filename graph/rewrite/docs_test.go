package rewrite

import (
	"os"
	"strings"
	"testing"
)

// The table of docs/rewrites.md lists every pass, in the order of Passes, and
// marks the approximate ones.
func TestTheDocumentListsThePasses(t *testing.T) {
	data, err := os.ReadFile("../../docs/rewrites.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(data), "## What to ask for")
	var listed []string
	for line := range strings.Lines(table) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, rest, _ := strings.Cut(name, "`")
			if strings.HasPrefix(rest, " *") {
				name += " *"
			}
			listed = append(listed, name)
		}
	}
	for i, p := range Passes() {
		want := p.Name
		if p.Approximate {
			want += " *"
		}
		if i >= len(listed) || listed[i] != want {
			t.Fatalf("row %d of %d is not %q: %q", i, len(listed), want, listed[min(i, len(listed)-1)])
		}
	}
	if len(listed) != len(Passes()) {
		t.Errorf("%d rows for %d passes", len(listed), len(Passes()))
	}
}
