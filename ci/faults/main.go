//go:build tflite

// Command faults runs a small plan on the emulated NPU with every fault that it
// knows, at every point, and prints what became of it. It ends with 1 when a row
// is not as it must be. `make faults` runs it; docs/reliability.md keeps what it
// printed last.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "nanoflux/delegate/all"
	"nanoflux/delegate/emulated"
	"nanoflux/delegate/isolate"
	"nanoflux/profiles"
)

func main() {
	if os.Getenv(isolate.WorkerEnvironment) != "" {
		if err := isolate.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	failed, err := table(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
	if failed > 0 {
		fmt.Fprintf(os.Stderr, "faults: %d rows are not as they must be\n", failed)
		os.Exit(1)
	}
}

// fault is a row's misbehaviour.
type fault struct {
	name string
	// harmless: it does not keep the segment from running there.
	harmless bool
	// verify: only a comparison finds it.
	verify bool
	// cause is what the error must say; more than one are apart by "|".
	cause string
}

var faults = []fault{
	{name: "refuse", cause: "it refuses the model on request|failed on request"},
	{name: "fail", cause: "it refuses the model on request|failed on request"},
	{name: "segv", cause: "its process crashed with SIGSEGV|its process was killed by SIGSEGV"},
	{name: "bus", cause: "its process crashed with SIGBUS|its process was killed by SIGBUS"},
	{name: "abort", cause: "its process crashed with SIGABRT|its process was killed by SIGABRT"},
	{name: "hang", cause: "no answer within 1s|no answer within 3s"},
	{name: "exit0", cause: "its process ended with exit code 0"},
	{name: "nan", cause: "has values that are no numbers"},
	{name: "wrong", verify: true, cause: "is off by"},
	{name: "leak", harmless: true},
	{name: "slow", harmless: true},
	{name: "lost", cause: "it refuses the model on request|the device is lost"},
	{name: "fewer", cause: "the delegate left"},
}

// points are when a fault strikes: 0 is Prepare, else the number of an invoke.
var points = []struct {
	name string
	at   int
}{{"prepare", 0}, {"first invoke", 1}, {"tenth invoke", 10}}

func table(ctx context.Context) (failed int, err error) {
	plugin, ok := emulated.Library(emulated.Plugin)
	if !ok {
		return 0, fmt.Errorf("the emulated NPU is not built; run make emunpu")
	}
	dir, err := os.MkdirTemp("", "nanoflux-faults-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	t := &tried{plugin: plugin}
	if t.model, err = model(); err != nil {
		return 0, err
	}
	if t.want, err = right(ctx, t.model); err != nil {
		return 0, err
	}
	// Without a fault first: it opens what Go's runtime opens once and keeps, and
	// its worker's memory is what a leak is measured against.
	none := fault{name: "none", harmless: true}
	t.journal = filepath.Join(dir, "none")
	o := t.run(ctx, none, 0, profiles.Fail)
	if _, err := o.judge(none, 0, profiles.Fail, 0); err != nil {
		return 0, fmt.Errorf("without a fault: %w", err)
	}
	usual := o.memory
	before, err := resources()
	if err != nil {
		return 0, err
	}
	fmt.Printf("%-8s %-13s %-9s %-7s %s\n", "fault", "at", "policy", "result", "what was said")
	for _, f := range faults {
		for _, p := range points {
			for _, policy := range []profiles.Policy{profiles.Fallback, profiles.Warn, profiles.Fail} {
				t.journal = filepath.Join(dir, fmt.Sprintf("%s-%d-%s", f.name, p.at, policy))
				o := t.run(ctx, f, p.at, policy)
				said, err := o.judge(f, p.at, policy, usual)
				if err = errors.Join(err, left(before)); err != nil {
					failed++
					fmt.Printf("%-8s %-13s %-9s %-7s %v\n", f.name, p.name, policy, "FAILED", err)
					continue
				}
				fmt.Printf("%-8s %-13s %-9s %-7s %s\n", f.name, p.name, policy, "ok", clip(said))
			}
		}
	}
	after, err := resources()
	if err != nil {
		return 0, err
	}
	fmt.Printf("\nbefore the first row and after the last: child processes %d, %d; open files %d, %d; shared memory open %d, %d, mapped %d, %d bytes\n",
		len(before.children), len(after.children), before.files, after.files, before.memories, after.memories, before.mapped, after.mapped)
	return failed, nil
}

// clip shortens a line for the table.
func clip(s string) string {
	const most = 150
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
