//go:build tflite

package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"strings"
	"time"

	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/calibrate"
	"nanoflux/models/pipeline"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// mostPrompts is how many there are to draw.
const mostPrompts = 8

// compare draws every prompt by every row, prints a table, and says how many rows
// are below their bar.
func compare(ctx context.Context, rows []row, prompts, steps int, sheet string) (low int, err error) {
	plain, err := pocket.Open()
	if err != nil {
		return 0, err
	}
	defer plain.Close()
	// Half of the prompts give the ranges, the other half is drawn.
	var known, texts []string
	for i, text := range calibrate.Prompts(plain.Manifest().Knows, 2*mostPrompts) {
		if i%2 == 0 {
			known = append(known, text)
		} else if len(texts) < prompts {
			texts = append(texts, text)
		}
	}
	seeds := func(i int) uint64 { return uint64(100 + i) } // not those of calibration
	with, err := calibrated(ctx, plain, known)
	if err != nil {
		return 0, err
	}
	defer with.Close()
	wanted, _, err := draw(ctx, plain, nil, texts, steps, seeds)
	if err != nil {
		return 0, err
	}
	pictures := [][]image.Image{images(wanted)}
	fmt.Printf("pocket, %d prompts; each picture against the one of the Go kernels in float32\n\n", len(texts))
	fmt.Println("| chip | precision | PSNR, mean | lowest | must be | worst error of text encoder, denoiser, decoder | prepared in | a picture in |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		b := plain
		if r.precision == "w8a16" {
			b = with
		}
		got, prepared, err := draw(ctx, b, r.profile(), texts, steps, seeds)
		if err != nil {
			return low, fmt.Errorf("%s, %s: %w", r.soc, r.precision, err)
		}
		mean, lowest, total := 0.0, math.Inf(1), time.Duration(0)
		for i := range got {
			db := decibels(got[i].Image, wanted[i].Image)
			mean, lowest, total = mean+db/float64(len(got)), min(lowest, db), total+got[i].Total
		}
		worst, err := worstOf(got[len(got)-1])
		if err != nil {
			return low, fmt.Errorf("%s, %s: %w", r.soc, r.precision, err)
		}
		verdict := ""
		if mean < r.bar {
			low++
			verdict = " **below**"
		}
		fmt.Printf("| %s (%s) | %s | %.1f dB%s | %.1f dB | %.0f dB | %s | %.1f s | %.1f s |\n",
			r.soc, r.chip, r.precision, mean, verdict, lowest, r.bar, worst, prepared.Seconds(), total.Seconds()/float64(len(got)))
		pictures = append(pictures, images(got))
	}
	if err := overflows(with); err != nil {
		return low, err
	}
	if sheet != "" {
		err = writeSheet(sheet, pictures)
	}
	return low, err
}

// profile has everything run on the chip's NPU, or end.
func (r row) profile() []byte {
	return fmt.Appendf(nil, "version: 1\nname: htp\nbackends:\n  - {kind: qnn, options: {soc: %s, precision: %s}, deadline: 300}\n  - {kind: fallback}\npolicy: fail\n", r.soc, r.precision)
}

// calibrated is the bundle with ranges, in memory.
func calibrated(ctx context.Context, plain *bundle.Bundle, prompts []string) (*bundle.Bundle, error) {
	m, files, err := calibrate.Bundle(ctx, plain, prompts, nil)
	if err != nil {
		return nil, err
	}
	var zip bytes.Buffer
	if err := bundle.Write(&zip, m, files); err != nil {
		return nil, err
	}
	return bundle.Read(zip.Bytes(), "calibrated")
}

// draw draws all prompts by a profile; nil is that of the Go kernels.
func draw(ctx context.Context, b *bundle.Bundle, profile []byte, texts []string, steps int, seeds func(int) uint64) (list []*pipeline.Result, prepared time.Duration, err error) {
	o := pipeline.Options{Isolation: partition.Isolation{Worker: []string{os.Args[0]}}}
	if profile != nil {
		if o.Profile, err = profiles.Parse(profile, "htp.yaml", partition.CheckBackend); err != nil {
			return nil, 0, err
		}
		if o.Verify, err = exec.NewVerify("fallback"); err != nil {
			return nil, 0, err
		}
		o.Verify.Tolerance = 1e3 // errors are measured, not judged
	}
	begin := time.Now()
	p, err := pipeline.New(ctx, b, o)
	if err != nil {
		return nil, 0, err
	}
	defer p.Close()
	prepared = time.Since(begin)
	for i, text := range texts {
		r, err := p.Generate(ctx, pipeline.Request{Prompt: text, Seed: seeds(i), Steps: steps})
		if err != nil {
			return nil, 0, err
		}
		list = append(list, r)
	}
	return list, prepared, nil
}

// worstOf is the largest error of each part relative to the range of its output,
// over all runs, each against the Go kernels with the same inputs. All must have
// run on the NPU, in one segment.
func worstOf(r *pipeline.Result) (string, error) {
	var list []string
	for _, p := range r.Parts {
		if len(p.Segments) != 1 || p.Segments[0].Kind != "qnn" || p.Segments[0].Verified == nil {
			return "", fmt.Errorf("%s did not run on the NPU in one segment: %+v", p.Part, p.Segments)
		}
		if p.Part != pipeline.PartModulation {
			list = append(list, fmt.Sprintf("%.2g %%", 100*p.Segments[0].Verified.Worst))
		}
	}
	return strings.Join(list, ", "), nil
}

// decibels is the PSNR of a picture against another of the same size.
func decibels(got, want *image.NRGBA) float64 {
	squares := 0.0
	for i := range want.Pix {
		d := float64(got.Pix[i]) - float64(want.Pix[i])
		squares += d * d
	}
	const alpha = 4.0 / 3 // one of four bytes is no colour
	return 10 * math.Log10(255*255*float64(len(want.Pix))/(squares*alpha))
}

// overflows names what float16 does not hold.
func overflows(b *bundle.Bundle) error {
	fmt.Println()
	none := true
	for _, part := range pipeline.PartNames() {
		m, err := b.Model(part)
		if err != nil {
			return err
		}
		for _, o := range calibrate.Overflows(m) {
			fmt.Printf("beyond float16: %v\n", o)
			none = false
		}
	}
	if none {
		fmt.Println("No operator of the model goes beyond float16 (65504) with these prompts.")
	}
	return nil
}

func images(list []*pipeline.Result) (all []image.Image) {
	for _, r := range list {
		all = append(all, r.Image)
	}
	return all
}
