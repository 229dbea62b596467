package main

import (
	"encoding/json"
	"strings"
	"testing"

	"nanoflux/graph"
)

// rewriting is a profile for a device that is not here; trusted, as this
// program is a test and cannot be a worker.
const rewriting = `version: 1
name: far
backends:
  - {name: npu, kind: nnapi, trusted: true}
  - {name: go, kind: fallback}
rewrites: [expand-gelu, fold-dequantize]
policy: fallback
`

// geluModel is y = gelu(x), the tanh form, of x [1, 4].
func geluModel(t *testing.T) []byte {
	b := graph.NewBuilder("gelu")
	b.Output("y", b.Gelu(b.Input("x", graph.Float32, 1, 4), true))
	return marshal(t, b)
}

func TestPlanExplainsWhatRewritesWin(t *testing.T) {
	profile, path := file(t, "far.yaml", []byte(rewriting)), file(t, "gelu.tflite", geluModel(t))
	text := ok(t, "plan", path, "--profile", profile, "--explain")
	for _, line := range []string{
		"what each rewrite won on backend npu, which is not here: by the table of its kind",
		"fold-dequantize  0       1      0           0          0\n",
		"expand-gelu      1       1 → 8  0           0 → 8      0 → 1\n",
		"8 operators in 1 segment", // the plan is that of the rewritten model
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the text lacks %q:\n%s", line, text)
		}
	}
	var list []struct {
		Rewrites []struct {
			Pass          string
			Changed       int
			ByTable       bool `json:"by_table"`
			Before, After struct{ Operators int }
		}
		Plan struct{ Operators int }
	}
	if err := json.Unmarshal([]byte(ok(t, "plan", path, "--profile", profile, "--explain", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || len(list[0].Rewrites) != 2 || list[0].Plan.Operators != 8 {
		t.Fatalf("facts %+v", list)
	}
	if r := list[0].Rewrites[1]; r.Pass != "expand-gelu" || r.Changed != 1 || !r.ByTable || r.Before.Operators != 0 || r.After.Operators != 8 {
		t.Errorf("expand-gelu: %+v", r)
	}
}

func TestAProfileWithoutRewritesIsExplainedAsSuch(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	if text := ok(t, "plan", path, "--explain"); !strings.Contains(text, "profile cpu-go asks for no rewrites") {
		t.Error(text)
	}
	if text := ok(t, "plan", path, "--explain", "--json"); !strings.Contains(text, `"rewrites": []`) {
		t.Error(text)
	}
	if code, _, stderr := call(t, "plan", path, "--explain", "--yaml"); code != exitUsage || !strings.Contains(stderr, "--yaml prints plans only") {
		t.Errorf("--explain --yaml: code %d, %s", code, stderr)
	}
}

func TestRunRunsTheRewrittenModel(t *testing.T) {
	var facts struct {
		Segments []struct{ Ops []int }
		Compared []struct{ Passed bool }
	}
	text := ok(t, "run", file(t, "gelu.tflite", geluModel(t)), "--profile", file(t, "far.yaml", []byte(rewriting)), "--compare", "fallback", "--json")
	if err := json.Unmarshal([]byte(text), &facts); err != nil {
		t.Fatal(err)
	}
	// It is compared with the model of the file.
	if len(facts.Segments) != 1 || len(facts.Segments[0].Ops) != 8 || len(facts.Compared) != 1 || !facts.Compared[0].Passed {
		t.Errorf("want the 8 operators of the rewritten model, and the same output: %+v", facts)
	}
}
