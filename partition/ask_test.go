//go:build tflite && unix

package partition

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// asking is a start of the program with the emulated NPU of a profile and the Go
// kernels behind it.
func asking(t *testing.T, profile string) (*profiles.Profile, map[string]delegate.Backend) {
	t.Helper()
	p, err := profiles.Load(profile, CheckBackend)
	if err != nil {
		t.Fatal(err)
	}
	backends, err := OpenBackends(p, Isolation{Worker: delegatetest.Self(t), Journal: journal.Open(filepath.Join(filepath.Dir(profile), "journal"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := CloseBackends(backends); err != nil {
			t.Error(err)
		}
	})
	return p, backends
}

// mixedModel has two equal linear layers with INT8 weights, a GELU after each,
// and a softmax.
func mixedModel(t *testing.T) *graph.Model {
	b := graph.NewBuilder("model.tflite")
	x := b.Input("x", graph.Float32, 4, 16)
	for i := range 2 {
		q := &graph.Quantization{Scale: make([]float32, 16), ZeroPoint: make([]int64, 16)}
		for k := range q.Scale {
			q.Scale[k] = float32(i+1) / 8
		}
		w := b.Dequantize(b.QuantizedConst(fmt.Sprint("w", i), graph.NewArray(graph.Int8, 16, 16), q))
		x = b.Gelu(b.FullyConnected(x, w, graph.None, graph.ActNone), true)
	}
	b.Output("y", b.Softmax(x))
	return built(t, b)
}

// where is the backend of each type of operator in a plan.
func where(m *graph.Model, p *Plan) map[string]string {
	on := map[string]string{}
	for _, s := range p.Segments {
		for _, i := range s.Ops {
			on[m.Subgraphs[0].Ops[i].Name()] = s.Backend
		}
	}
	return on
}

func TestADevicesAnswersOverrideItsTableBothWays(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(rules, []byte("FULLY_CONNECTED\nGELU\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	profile := npu(t, false, fmt.Sprintf("rules: %q", rules), "table: nnapi-29")
	text, err := os.ReadFile(profile)
	if err == nil {
		err = os.WriteFile(profile, append(text, "  - {name: go, kind: fallback}\npolicy: fallback\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := mixedModel(t)
	for start, want := range []Asked{
		{Backend: "npu", Operators: 5, Different: 3, Asked: 3, Taken: 2, Refused: 1},
		{Backend: "npu", Operators: 5, Different: 3, Asked: 0, Taken: 2, Refused: 1},
	} {
		p, backends := asking(t, profile)
		list, err := Ask(t.Context(), m, 0, p, backends)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %+v", err, list)
		}
		differences := list[0].Differences
		list[0].Differences = nil
		if fmt.Sprint(list[0]) != fmt.Sprint(want) {
			t.Errorf("start %d: %+v", start, list[0])
		}
		got, err := json.Marshal(differences)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{
			`"ops":[1,4],"name":"FULLY_CONNECTED","table":{"reason":"version","detail":"its constant input from op 0 (DEQUANTIZE): `,
			`"ops":[2,5],"name":"GELU","table":{"reason":"op","detail":"NNAPI has no GELU"},"device":null}`,
			`"name":"SOFTMAX","table":null,"device":{"reason":"device","detail":"asked, it left it"}}`,
		} {
			if len(differences) != 3 || !strings.Contains(string(got), part) {
				t.Errorf("start %d: differences %s lack %s", start, got, part)
			}
		}
		plan, err := New(t.Context(), m, 0, p, backends)
		if err != nil {
			t.Fatal(err)
		}
		if on := where(m, plan); on["GELU"] != "npu" || on["FULLY_CONNECTED"] != "npu" || on["SOFTMAX"] != "go" || len(plan.Segments) != 2 {
			t.Errorf("start %d: %v\n%v", start, on, plan)
		}
	}
	// Other rules are another device, of which nothing is known.
	if err := os.WriteFile(rules, []byte("SOFTMAX\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, backends := asking(t, profile)
	plan, err := New(t.Context(), m, 0, p, backends)
	if err != nil {
		t.Fatal(err)
	}
	if on := where(m, plan); on["GELU"] != "go" || on["SOFTMAX"] != "npu" {
		t.Errorf("by the table: %v", on)
	}
}

// What crashes when it is asked about is not tried again, and costs nothing else.
func TestAQuestionThatCrashesTheDeviceIsRemembered(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		profile := npu(t, trusted, "fault: segv", "fault_at: prepare", "max_partitions: 3")
		m := mixedModel(t)
		for start := range 2 {
			p, backends := asking(t, profile)
			list, err := Ask(t.Context(), m, 0, p, backends)
			if err != nil || list[0].Lost != 3 || list[0].Asked != 3*(1-start) {
				t.Fatalf("trusted %v, start %d: %v, %+v", trusted, start, err, list)
			}
			if _, err := backends["npu"].Probe(t.Context()); err != nil {
				t.Errorf("the backend itself is lost: %v", err)
			}
			r := backends["npu"].Supports(m, 0, len(m.Subgraphs[0].Ops)-1)
			if r == nil || r.Reason != delegate.ReasonLost || !strings.Contains(r.Detail, "SIGSEGV") || !strings.Contains(r.Detail, "doctor --forget") {
				t.Errorf("got %v", r)
			}
		}
	}
}

func TestAlsoWhatIsNoVendorsRunsApartOnDemand(t *testing.T) {
	p, err := profiles.Load("cpu-go", CheckBackend)
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []bool{false, true} {
		backends, err := OpenBackends(p, Isolation{Worker: delegatetest.Self(t), All: all})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range backends {
			if _, apart := b.(delegate.Remote); apart != all {
				t.Errorf("%s with All %v: apart is %v", name, all, apart)
			}
			if d, err := b.Probe(t.Context()); err != nil || !strings.HasPrefix(d.Description, "Go kernels") {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		}
		if err := CloseBackends(backends); err != nil {
			t.Error(err)
		}
	}
}
