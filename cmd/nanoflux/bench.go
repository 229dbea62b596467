package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/cmd/nanoflux/internal/feed"
	"nanoflux/cmd/nanoflux/internal/modelrun"
	"nanoflux/delegate"
	"nanoflux/fallback/peak"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition/bench"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "measure how fast models run here, and which operators take the time",
		ArgsUsage: "[MODEL.tflite|BUNDLE]",
		Description: `Without an argument, the parts of pocket, the bundle in the program. Times are
medians; the spread is from the 10th to the 90th percentile. The processor's own peak is
measured too, in about a second.

Examples:
  nanoflux bench
  nanoflux bench model.tflite --threads 4 --ops
  nanoflux bench --backend tflite --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "backend", Usage: "what runs it: a `KIND` that nanoflux doctor lists", Value: "fallback"},
			&cli.StringSliceFlag{Name: "option", Usage: "`NAME=VALUE` for the backend, as in a profile; may be given again"},
			&cli.IntFlag{Name: "threads", Usage: "threads that compute; 0 for one a CPU"},
			&cli.BoolFlag{Name: "ops", Usage: "print each step, and not only sums by operator"},
			&cli.BoolFlag{Name: "kernels", Usage: "measure the inner loops of the Go kernels, too, each on one thread"},
			&cli.IntFlag{Name: "warmup", Usage: "runs before those that count", Value: 3},
			&cli.IntFlag{Name: "runs", Usage: "runs that count; 0 for as many as fit in --time"},
			&cli.DurationFlag{Name: "time", Usage: "time for each model", Value: time.Second},
			jsonFlag(),
		},
		Action: benchModels,
	}
}

// benchReport is what --json prints.
type benchReport struct {
	Backend string          `json:"backend"`
	Device  delegate.Device `json:"device"`
	Machine peak.Machine    `json:"machine"`
	// PeakMemory is the most memory in bytes that the program had so far, 0 where
	// the system does not tell.
	PeakMemory int64           `json:"peak_memory"`
	Kernels    []peak.Kernel   `json:"kernels,omitempty"`
	Models     []*bench.Result `json:"models"`
}

func benchModels(c *cli.Context) error {
	if err := atMost(c, 1); err != nil {
		return err
	}
	for _, name := range []string{"threads", "warmup", "runs"} {
		if c.Int(name) < 0 {
			return usage(c, "--%s %d is negative", name, c.Int(name))
		}
	}
	path := pocket.Name
	if c.NArg() == 1 {
		path = c.Args().First()
	}
	backend, err := benchBackend(c)
	if err != nil {
		return err
	}
	models, closeModels, err := openModels(path)
	if err != nil {
		return badInput(err)
	}
	defer func() { _ = closeModels() }()
	report := benchReport{Backend: backend.Name()}
	if report.Device, err = backend.Probe(c.Context); err != nil {
		return err
	}
	threads := c.Int("threads")
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	o := bench.Options{Warmup: c.Int("warmup"), Runs: c.Int("runs"), Time: c.Duration("time"), Operators: true}
	for _, m := range models {
		inputs, err := feed.Arrays(modelrun.Inputs(m), nil, nil)
		if err != nil {
			return badInput(err)
		}
		r, err := bench.Run(c.Context, m, backend, inputs, o)
		if err != nil {
			return err
		}
		report.Models = append(report.Models, r)
	}
	report.PeakMemory = peakMemory() // before what follows takes some
	report.Machine = peak.Measure(threads)
	if c.Bool("kernels") {
		report.Kernels = peak.Kernels()
	}
	if c.Bool("json") {
		return printJSON(c, report)
	}
	report.print(c)
	return nil
}

// benchBackend opens the backend that the options name.
func benchBackend(c *cli.Context) (delegate.Backend, error) {
	kind := c.String("backend")
	options := map[string]any{}
	for _, o := range c.StringSlice("option") {
		name, value, ok := strings.Cut(o, "=")
		if !ok {
			return nil, usage(c, "--option %s: takes NAME=VALUE", o)
		}
		options[name] = optionValue(value)
	}
	if n := c.Int("threads"); n > 0 {
		for _, o := range delegate.OptionsOf(kind) {
			if o.Name == "threads" {
				options["threads"] = n
			}
		}
	}
	b, err := delegate.Open(kind, options)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return b, nil
}

// print writes the report for people.
func (r *benchReport) print(c *cli.Context) {
	w := c.App.Writer
	m := r.Machine
	fmt.Fprintf(w, "%s\n", r.Device.Description)
	fmt.Fprintf(w, "this machine's peak, %s, %s: %.0f GFLOP/s in float32, %.0f GOP/s in int8, reads %.0f GB/s\n", m.SIMD, facts.Count(m.Threads, "thread"), m.Float32, m.Int8, m.Bandwidth)
	for _, b := range r.Models {
		fmt.Fprintf(w, "\n%s: %.3g ms (%.3g to %.3g, best %.3g; %s)", b.Model, b.Times.Median, b.Times.Low, b.Times.High, b.Times.Best, facts.Count(b.Runs, "run"))
		if b.MACs > 0 {
			fmt.Fprintf(w, ", %.1f GFLOP/s, %.0f %% of the float32 peak", b.Rate, 100*b.Rate/m.Float32)
		}
		fmt.Fprintln(w)
		if len(b.Kinds) == 0 {
			fmt.Fprintln(w, "  (this backend does not tell what its operators take)")
		}
		table(w, func(add func(format string, args ...any)) {
			if c.Bool("ops") && len(b.Steps) > 0 {
				add("  operators\tms\tshare\tGFLOP/s\tname")
				for _, s := range b.Steps {
					add("  %s\t%.4f\t%.1f %%\t%s\t%s", span(s.Operators), s.Median, 100*s.Share, rateText(s.Rate), s.Label)
				}
				return
			}
			for _, k := range b.Kinds {
				add("  %.4f ms\t%.1f %%\t%s\t%d×\t%s", k.Median, 100*k.Share, rateText(k.Rate), k.Steps, k.Name)
			}
		})
	}
	if len(r.Kernels) > 0 {
		fmt.Fprintln(w, "\ninner loops, one thread:")
		table(w, func(add func(format string, args ...any)) {
			for _, k := range r.Kernels {
				add("  %.3g %s\t%s", k.Rate, k.Unit, k.Name)
			}
		})
	}
	if r.PeakMemory > 0 {
		fmt.Fprintf(w, "\nmost memory of this program: %s\n", facts.Size(int(r.PeakMemory)))
	}
}

// span is a list of operators as a range.
func span(operators []int) string {
	if len(operators) == 1 {
		return fmt.Sprint(operators[0])
	}
	return fmt.Sprintf("%d…%d", operators[0], operators[len(operators)-1])
}

func rateText(rate float64) string {
	if rate == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", rate)
}

// optionValue reads a backend's option as a profile would.
func optionValue(text string) any {
	if b, err := strconv.ParseBool(text); err == nil && (text == "true" || text == "false") {
		return b
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x
	}
	return text
}

// peakMemory is the most memory in bytes that this process had, 0 where the
// system does not tell (proc(5), VmHWM).
func peakMemory() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
