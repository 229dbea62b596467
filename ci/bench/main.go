//go:build tflite

// Command bench times the Go kernels against other people's: XNNPACK on the same
// models, oneDNN on layers of the denoiser's size, PyTorch on the whole picture.
// Both sides run in turn, with as many threads, in one process (PyTorch in a
// child that waits for its turn). `make bench` runs it and docs/performance.md
// keeps what it printed last.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"

	_ "nanoflux/delegate/all"
	"nanoflux/fallback/simd"
)

func main() {
	name := flag.String("name", "", "only measurements whose names this regular expression matches")
	threads := flag.Int("threads", 2, "threads of both sides")
	budget := flag.Duration("time", 3*time.Second, "time for each measurement, both sides together")
	best := flag.Bool("best", false, "compare the 10th percentiles in place of the medians, for busy machines")
	flag.Parse()
	if *best {
		compared = 0.1
	}
	only, err := regexp.Compile(*name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: NAME:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, only: only, threads: *threads, budget: *budget}
	fmt.Printf("# %s, %d of %d processors, Go kernels %s, %s, %s\n", processor(), *threads, runtime.NumCPU(), simd.Active().Name, runtime.Version(), time.Now().UTC().Format("2 January 2006"))
	what := "medians"
	if *best {
		what = "10th percentiles"
	}
	fmt.Printf("# %s of runs in turn; ± is half the distance between the 10th and 90th percentile, in parts of the median\n", what)
	fmt.Printf("%-52s %16s %16s %7s  %s\n", "name", "ours", "peer", "ratio", "goal")
	for _, group := range []func(*bench) error{(*bench).models, (*bench).linear, (*bench).attention, (*bench).picture, (*bench).allocations} {
		if err := group(b); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		if ctx.Err() != nil {
			os.Exit(130)
		}
	}
	if b.missed > 0 {
		fmt.Printf("# %d goals missed\n", b.missed)
	}
}

// bench is one run of the program.
type bench struct {
	ctx     context.Context
	only    *regexp.Regexp
	threads int
	budget  time.Duration
	missed  int
}

// goal is what a ratio must reach.
type goal struct {
	// atMost or atLeast, 0 for none.
	atMost, atLeast float64
}

func (g goal) String() string {
	switch {
	case g.atMost > 0:
		return fmt.Sprintf("≤ %.2f", g.atMost)
	case g.atLeast > 0:
		return fmt.Sprintf("≥ %.2f", g.atLeast)
	}
	return "-"
}

func (g goal) met(ratio float64) bool {
	return (g.atMost == 0 || ratio <= g.atMost) && ratio >= g.atLeast
}

// line prints one measurement.
func (b *bench) line(name, ours, peer string, ratio float64, g goal) {
	verdict := g.String()
	if !g.met(ratio) {
		b.missed++
		verdict += " MISSED"
	}
	fmt.Printf("%-52s %16s %16s %7.2f  %s\n", name, ours, peer, ratio, verdict)
}

// skip says what was not measured, and why.
func (b *bench) skip(name string, why error) {
	fmt.Printf("%-52s not measured: %v\n", name, why)
}

// wants reports whether the measurement was asked for.
func (b *bench) wants(name string) bool { return b.only.MatchString(name) }

// processor is the CPU's name.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(data); err == nil && m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}
