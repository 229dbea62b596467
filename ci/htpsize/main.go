// Command htpsize compiles the blocks of NanoFLUX's true size for Qualcomm's NPUs,
// with made-up weights, and adds them up: time and memory of the compiler, size of
// the code, and whether the whole fits. `make htp-size` runs it; docs/htp.md keeps
// what it printed last.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	_ "nanoflux/delegate/all"
	"nanoflux/graph"
	"nanoflux/models/compile"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// compiler in its environment has this program compile one segment.
const compiler = "NANOFLUX_HTPSIZE_COMPILER"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	if os.Getenv(compiler) != "" {
		err = compile.Serve(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "htpsize:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	socs := flag.String("soc", "SM8750,SM8650", "chips, with commas between")
	precision := flag.String("precision", "fp16", "fp16, or w8a16 with made-up ranges")
	only := flag.String("only", "", "only parts whose name begins so")
	deadline := flag.Duration("deadline", 10*time.Minute, "for one part")
	flag.Parse()
	if err := os.Setenv(compiler, "1"); err != nil {
		return err
	}
	fmt.Println("| chip | part | there are | weights, fp16 | compiled in | memory | code | all of them | values at once |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, soc := range strings.Split(*socs, ",") {
		chip := soc
		if *precision != "fp16" {
			chip += ", " + *precision
		}
		total := int64(0)
		for _, p := range parts() {
			if !strings.HasPrefix(p.name, *only) {
				continue
			}
			r, err := p.compile(ctx, soc, *precision, *deadline)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			fmt.Printf("| %s | %s | %d | %.0f MB | %.0f s | %.1f GB | ", chip, p.name, p.count, megabytes(r.weights), r.Took.Seconds(), gigabytes(r.PeakMemory))
			if r.Problem != "" {
				fmt.Printf("none: %s | – | %.0f MB |\n", r.Problem, megabytes(r.activations))
				continue
			}
			all := int64(p.count) * int64(r.Size)
			total += all
			fmt.Printf("%.0f MB | %.0f MB | %.0f MB |\n", megabytes(int64(r.Size)), megabytes(all), megabytes(r.activations))
		}
		fmt.Printf("| %s | **sum** | | | | | | **%.2f GB** | |\n", chip, gigabytes(total))
	}
	return nil
}

// result is what came of a part, with sizes in bytes.
type result struct {
	compile.Segment
	// weights are in half precision; activations as the function says.
	weights, activations int64
}

// compile compiles a part for a chip, in one segment.
func (p part) compile(ctx context.Context, soc, precision string, deadline time.Duration) (r result, err error) {
	m, err := p.build()
	if err != nil {
		return r, err
	}
	for _, b := range m.Buffers {
		r.weights += int64(len(b)) / 2 // they are float32
	}
	r.activations = activations(m)
	if precision == "w8a16" {
		addRanges(m)
	}
	text := fmt.Sprintf("version: 1\nname: size\nbackends:\n  - {kind: qnn, options: {soc: %s, precision: %s}}\n  - {kind: fallback}\npolicy: fail\n", soc, precision)
	profile, err := profiles.Parse([]byte(text), "size.yaml", partition.CheckBackend)
	if err != nil {
		return r, err
	}
	_, report, err := compile.Model(ctx, m, compile.Options{Profile: profile, SoCs: []string{soc}, Command: []string{os.Args[0]}, Deadline: deadline})
	if err != nil {
		return r, err
	}
	if len(report.Segments) != 1 || len(report.Elsewhere) != 0 {
		return r, fmt.Errorf("%d segments, elsewhere %v", len(report.Segments), report.Elsewhere)
	}
	r.Segment = report.Segments[0]
	return r, nil
}

// addRanges says of every computed float that it lies between −8 and 8, which only
// calibration can know: sizes do not depend on it.
func addRanges(m *graph.Model) {
	for i := range m.Subgraphs[0].Tensors {
		t := &m.Subgraphs[0].Tensors[i]
		if t.Type == graph.Float32 && !m.IsConstant(0, i) {
			t.Quantization = &graph.Quantization{Min: []float32{-8}, Max: []float32{8}}
		}
	}
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }

func gigabytes(n int64) float64 { return float64(n) / 1e9 }
