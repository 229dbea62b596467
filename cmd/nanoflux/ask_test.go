package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// withJournal has commands of this test keep a journal of their own.
func withJournal(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	t.Setenv(journal.Variable, path)
	return path
}

// emulatedProfile has the emulated NPU with these options before the Go kernels.
func emulatedProfile(t *testing.T, policy string, options ...string) string {
	t.Helper()
	options = append(options, fmt.Sprintf("library: %q", emulated(t)))
	text := fmt.Sprintf("version: 1\nname: npu\nbackends:\n  - name: npu\n    kind: external\n    deadline: 20\n    options:\n      %s\n  - {name: go, kind: fallback}\npolicy: %s\n",
		strings.Join(options, "\n      "), policy)
	return file(t, "npu.yaml", []byte(text))
}

// softModel is y = softmax(gelu(x) + x) of x [4, 8].
func softModel(t *testing.T) string {
	b := graph.NewBuilder("soft")
	x := b.Input("x", graph.Float32, 4, 8)
	b.Output("y", b.Softmax(b.Add(b.Gelu(x, true), x)))
	return file(t, "soft.tflite", marshal(t, b))
}

// placed is where operators are, by what a command prints as JSON.
type placed []struct {
	Backend string
	Ops     []int
}

func TestPlanPrintsWhatTheNextRunDoes(t *testing.T) {
	for name, test := range map[string]struct {
		policy  string
		options []string
	}{
		"a device that leaves operators": {"fallback", []string{"fault: fewer"}},
		"one that crashes":               {"fallback", []string{"fault: segv"}},
		"one that crashes in a run":      {"warn", []string{"fault: abort", "fault_at: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			withJournal(t)
			profile, path := emulatedProfile(t, test.policy, test.options...), softModel(t)
			plan := func() string {
				t.Helper()
				var list []struct{ Segments placed }
				if err := json.Unmarshal([]byte(ok(t, "plan", path, "--profile", profile, "--json")), &list); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(list[0].Segments)
			}
			run := func() string {
				t.Helper()
				var facts struct{ Segments placed }
				if err := json.Unmarshal([]byte(ok(t, "run", path, "--profile", profile, "--json")), &facts); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(facts.Segments)
			}
			nothing := plan()
			run()
			want := plan()
			if got := run(); got != want || got == nothing {
				t.Errorf("plan says %s, run does %s; before it was known, plan said %s", want, got, nothing)
			}
			if again := plan(); again != want {
				t.Errorf("then plan says %s", again)
			}
		})
	}
}

func TestPlanAsksTheDevice(t *testing.T) {
	withJournal(t)
	rules := file(t, "rules", []byte("ADD\nGELU\n"))
	profile, path := emulatedProfile(t, "fallback", "table: nnapi-29", fmt.Sprintf("rules: %q", rules)), softModel(t)
	if text := ok(t, "plan", path, "--profile", profile); !strings.Contains(text, "NNAPI has no GELU") {
		t.Errorf("by the table:\n%s", text)
	}
	text := ok(t, "plan", path, "--profile", profile, "--ask")
	for _, line := range []string{
		"soft.tflite: npu was asked about 3 of 3 different operators: it takes 2 and refuses 1; 2 differ from its table\n",
		"  1 × GELU: the table refuses it (op: NNAPI has no GELU), the device takes it (op 0)\n",
		"  1 × SOFTMAX: the table takes it, the device refuses it (device: asked, it left it) (op 2)\n",
		"  npu: 1 × SOFTMAX: device: asked, it left it (op 2)\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("lacks %q:\n%s", line, text)
		}
	}
	var list []struct {
		Asked []struct {
			Backend                                string
			Different, Asked, Taken, Refused, Lost int
			Differences                            []struct {
				Name          string
				Ops           []int
				Table, Device *struct{ Reason, Detail string }
			}
		}
		Plan struct{ Segments placed }
	}
	if err := json.Unmarshal([]byte(ok(t, "plan", path, "--profile", profile, "--ask", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if a := list[0].Asked[0]; a.Backend != "npu" || a.Different != 3 || a.Asked != 0 || a.Taken != 2 || a.Refused != 1 || len(a.Differences) != 2 ||
		a.Differences[0].Name != "GELU" || a.Differences[0].Device != nil || a.Differences[0].Table.Reason != "op" {
		t.Errorf("asked %+v", a)
	}
	want := placed{{"npu", []int{0, 1}}, {"go", []int{2}}}
	var facts struct{ Segments placed }
	if err := json.Unmarshal([]byte(ok(t, "run", path, "--profile", profile, "--json")), &facts); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(list[0].Plan.Segments) != fmt.Sprint(want) || fmt.Sprint(facts.Segments) != fmt.Sprint(want) {
		t.Errorf("plan %v, run %v, want %v", list[0].Plan.Segments, facts.Segments, want)
	}
}
