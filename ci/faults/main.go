//go:build tflite

// Command faults runs a small plan on the emulated NPU with every fault that it
// knows, at every point, and prints what became of it. It ends with 1 when a row
// is not as it must be. `make faults` runs it; docs/reliability.md keeps what it
// printed last.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "nanoflux/delegate/all"
	"nanoflux/delegate/emulated"
	"nanoflux/delegate/isolate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/partition"
	planexec "nanoflux/partition/exec"
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

// compileDeadline is long for a machine that is busy, and short for a table.
const compileDeadline = 3 * time.Second

// fault is a row's misbehaviour.
type fault struct {
	name string
	// harmless: it does not keep the segment from running there.
	harmless bool
	// verify: only a comparison finds it.
	verify bool
	// cause is what the error must say.
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
	m, err := model()
	if err != nil {
		return 0, err
	}
	before := resources()
	fmt.Printf("%-8s %-13s %-9s %-7s %s\n", "fault", "at", "policy", "result", "what was said")
	for _, f := range faults {
		for _, p := range points {
			for _, policy := range []profiles.Policy{profiles.Fallback, profiles.Fail} {
				said, err := row(ctx, m, filepath.Join(dir, fmt.Sprintf("%s-%d-%s", f.name, p.at, policy)), plugin, f, p.at, policy)
				result := "ok"
				if err != nil {
					result, said = "FAILED", err.Error()
					failed++
				}
				if result == "ok" {
					said = clip(said)
				}
				fmt.Printf("%-8s %-13s %-9s %-7s %s\n", f.name, p.name, policy, result, said)
			}
		}
	}
	after := resources()
	fmt.Printf("\nchild processes left: %d; open files: %d before, %d after; shared memory in /dev/shm: %d before, %d after\n",
		after.children, before.files, after.files, before.shared, after.shared)
	if after.children > 0 || after.files > before.files || after.shared > before.shared {
		failed++
	}
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

// row runs the plan twelve times with one fault. said is what the runner has to
// say of it.
func row(ctx context.Context, m *graph.Model, journalPath, plugin string, f fault, at int, policy profiles.Policy) (said string, err error) {
	point := "prepare"
	if at > 0 {
		point = fmt.Sprint(at)
	}
	text := fmt.Sprintf(`version: 1
name: faults
backends:
  - name: npu
    kind: external
    deadline: 1
    options: {library: %q, fault: %s, fault_at: %s, leak_bytes: 4096}
  - name: go
    kind: fallback
rules:
  - {op: SOFTMAX, backend: go}
policy: %s
`, plugin, f.name, point, policy)
	p, err := profiles.Parse([]byte(text), "faults.yaml")
	if err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	backends, err := partition.OpenBackends(p, partition.Isolation{Worker: []string{self}, CompileDeadline: compileDeadline, Journal: journal.Open(journalPath)})
	if err != nil {
		return "", err
	}
	defer func() {
		if e := partition.CloseBackends(backends); e != nil && err == nil {
			err = e
		}
	}()
	o := planexec.Options{}
	if f.verify {
		if o.Verify, err = planexec.NewVerify("fallback"); err != nil {
			return "", err
		}
	}
	want, err := right(ctx, m)
	if err != nil {
		return "", err
	}
	r, _, err := planexec.Settle(ctx, m, 0, p, backends, o)
	runs := 0
	if err == nil {
		defer r.Close()
		for ; runs < 12 && err == nil; runs++ {
			out := make([]graph.Array, 1)
			if err = r.Run(ctx, inputs(), out); err != nil {
				break
			}
			d, e := planexec.Diff(out[0], want)
			if e != nil || !d.Within(1e-4) {
				return "", fmt.Errorf("run %d is wrong by %.2g of its range (%v)", runs+1, d.Relative, e)
			}
		}
	}
	return judge(f, at, policy, r, runs, err)
}

// judge says whether a row ended as it must.
func judge(f fault, at int, policy profiles.Policy, r *planexec.Runner, runs int, err error) (string, error) {
	strikes := !f.harmless && !(f.name == "fewer" && at > 0 && false)
	causes := strings.Split(f.cause, "|")
	names := func(text string) bool {
		return slices.ContainsFunc(causes, func(c string) bool { return strings.Contains(text, c) })
	}
	switch {
	case !strikes && err != nil:
		return "", fmt.Errorf("it must not matter, and: %w", err)
	case !strikes:
		return fmt.Sprintf("%d runs are right", runs), nil
	case policy == profiles.Fail && err == nil:
		return "", fmt.Errorf("no error in %d runs", runs)
	case policy == profiles.Fail:
		text := err.Error()
		if !names(text) || !strings.Contains(text, "npu") || !strings.Contains(text, "segment") {
			return "", fmt.Errorf("the error does not name delegate, segment and cause: %w", err)
		}
		return text, nil
	case err != nil:
		return "", fmt.Errorf("after %d runs: %w", runs, err)
	}
	moved := 0
	said := ""
	for _, s := range r.Report() {
		if s.Planned == "npu" {
			moved++
			said = s.Moved
		}
		if s.Backend == "npu" && f.name != "refuse" && f.name != "fail" && f.name != "nan" && f.name != "wrong" && f.name != "lost" && f.name != "fewer" {
			return "", fmt.Errorf("segment %d is still on the lost backend", s.Segment)
		}
	}
	if f.name == "fewer" {
		return fmt.Sprintf("%d runs are right; what it left runs on go", runs), nil
	}
	if moved == 0 || !names(said) {
		return "", fmt.Errorf("%d segments moved, because: %s", moved, said)
	}
	return fmt.Sprintf("%d runs are right; %d segments moved: %s", runs, moved, said), nil
}

// model has two segments on the NPU with one of the Go kernels between them.
func model() (*graph.Model, error) {
	b := graph.NewBuilder("faults")
	x := b.Input("x", graph.Float32, 16, 32)
	w := graph.NewArray(graph.Float32, 32, 32)
	for i := range graph.View[float32](w.Data) {
		graph.View[float32](w.Data)[i] = float32(i*13%29)/29 - 0.5
	}
	weights := b.Const("w", w)
	y := b.Softmax(b.Mul(b.FullyConnected(x, weights, graph.None, graph.ActNone), b.Scalar("two", 2)))
	b.Output("y", b.Add(b.FullyConnected(y, weights, graph.None, graph.ActNone), x))
	return b.Model()
}

func inputs() []graph.Array {
	a := graph.NewArray(graph.Float32, 16, 32)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i*7%31)/31 - 0.5
	}
	return []graph.Array{a}
}

// right is what the Go kernels compute.
func right(ctx context.Context, m *graph.Model) (graph.Array, error) {
	v, err := planexec.NewVerify("fallback")
	if err != nil {
		return graph.Array{}, err
	}
	r, err := planexec.Single(ctx, m, 0, v.Reference)
	if err != nil {
		return graph.Array{}, err
	}
	defer r.Close()
	out := make([]graph.Array, 1)
	err = r.Run(ctx, inputs(), out)
	return out[0], err
}

// used is what could be left behind.
type used struct{ children, files, shared int }

func resources() (u used) {
	time.Sleep(50 * time.Millisecond) // files of ended processes are closed in the background
	list := func(dir string) int {
		entries, _ := os.ReadDir(dir)
		return len(entries)
	}
	u.files, u.shared = list("/proc/self/fd"), list("/dev/shm")
	out, err := exec.Command("ps", "--no-headers", "--ppid", fmt.Sprint(os.Getpid()), "-o", "comm").Output()
	if err == nil {
		for _, name := range strings.Fields(string(out)) {
			if name != "ps" {
				u.children++
			}
		}
	}
	return u
}
