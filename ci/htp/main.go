//go:build tflite

// Command htp draws pictures on Qualcomm's simulated NPUs and compares them with
// those of the Go kernels. It ends with 1 when a mean is below its bar. `make
// htp-picture` runs it; docs/htp.md keeps what it printed last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"nanoflux/delegate"
	_ "nanoflux/delegate/all"
	"nanoflux/delegate/isolate"
)

func main() {
	if os.Getenv(isolate.WorkerEnvironment) != "" {
		if err := isolate.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	prompts := flag.Int("prompts", mostPrompts, "how many prompts to draw, at most 8")
	steps := flag.Int("steps", 0, "denoiser runs a picture; 0 for what the bundle recommends")
	only := flag.String("only", "", "only these rows, with commas between: SM8750/fp16")
	sheet := flag.String("sheet", "", "write the pictures to this PNG")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows := allRows()
	if *only != "" {
		rows = chosen(rows, strings.Split(*only, ","))
	}
	low, err := compare(ctx, rows, *prompts, *steps, *sheet)
	switch {
	case errors.Is(err, delegate.ErrUnavailable):
		fmt.Fprintln(os.Stderr, "htp:", err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, "htp:", err)
		os.Exit(1)
	case low > 0:
		fmt.Fprintf(os.Stderr, "htp: %d rows are below their bar\n", low)
		os.Exit(1)
	}
}

// row is a chip and how it computes.
type row struct {
	soc, chip, precision string
	// bar is the mean PSNR in dB that it must reach.
	bar float64
}

const (
	halfBar    = 50
	integerBar = 35
)

// allRows are the chips from 8 Gen 1 on; those before have no half precision.
func allRows() (rows []row) {
	chips := []row{{soc: "SM8450", chip: "8 Gen 1"}, {soc: "SM8550", chip: "8 Gen 2"}, {soc: "SM8650", chip: "8 Gen 3"}, {soc: "SM8750", chip: "8 Elite"}, {soc: "SM8850", chip: "8 Elite Gen 5"}}
	for _, precision := range []struct {
		name string
		bar  float64
	}{{"fp16", halfBar}, {"w8a16", integerBar}} {
		for _, c := range chips {
			c.precision, c.bar = precision.name, precision.bar
			rows = append(rows, c)
		}
	}
	return rows
}

func chosen(rows []row, names []string) (list []row) {
	for _, r := range rows {
		for _, n := range names {
			if strings.EqualFold(n, r.soc+"/"+r.precision) {
				list = append(list, r)
			}
		}
	}
	return list
}
