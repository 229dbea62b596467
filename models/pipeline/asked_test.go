//go:build tflite && unix

package pipeline

import (
	"path/filepath"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/journal"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition"
	"nanoflux/partition/exec"
)

// The compiler answers for the whole part, and for nothing a second time.
func TestAPlanForASimulatedNPUIsTheCompilersWord(t *testing.T) {
	p := simulatedNPU(t, "")
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m, err := b.Model("modulation")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "journal")
	for start := range 2 {
		asked := 0
		backends, err := partition.OpenBackends(p, partition.Isolation{
			Worker: delegatetest.Self(t), Journal: journal.Open(file), Asking: func(a guarded.Asking) { asked = a.Asked },
		})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := exec.Foresee(t.Context(), m, 0, p, backends)
		if err != nil {
			t.Fatal(err)
		}
		a := plan.Backends[0].Answers
		if a == nil || len(a.Device) == 0 || len(a.Table) > 0 || len(plan.Segments) != 1 || plan.Segments[0].Backend != "qnn" {
			t.Errorf("start %d: %+v\n%v", start, a, plan)
		}
		if (asked > 0) != (start == 0) {
			t.Errorf("start %d: %d questions", start, asked)
		}
		if err := partition.CloseBackends(backends); err != nil {
			t.Error(err)
		}
	}
	// Told never to ask, it goes by the table.
	never := *p
	never.Backends = append(never.Backends[:0:0], p.Backends...)
	never.Backends[0].Options = map[string]any{"soc": "SM8450", delegate.OptionAsk: delegate.AskNever}
	backends, err := partition.OpenBackends(&never, partition.Isolation{Worker: delegatetest.Self(t), Journal: journal.Open(file)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = partition.CloseBackends(backends) }()
	plan, err := exec.Foresee(t.Context(), m, 0, &never, backends)
	if err != nil {
		t.Fatal(err)
	}
	if a := plan.Backends[0].Answers; a == nil || len(a.Device) > 0 || a.Why != "option ask says never" {
		t.Errorf("told never to ask: %+v", a)
	}
}
