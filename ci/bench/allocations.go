//go:build tflite

package main

import (
	"fmt"
	"testing"

	"nanoflux/fallback"
)

// allocations counts what a run allocates after the first.
func (b *bench) allocations() error {
	list, _, err := corpus()
	if err != nil {
		return err
	}
	for _, m := range list {
		name := "allocations " + m.name
		if !b.wants(name) {
			continue
		}
		r, err := runner(b.ctx, fallback.New(fallback.Options{Threads: b.threads}), m.m)
		if err != nil {
			b.skip(name, err)
			continue
		}
		var failed error
		n := testing.AllocsPerRun(20, func() {
			if err := r.run(); err != nil {
				failed = err
			}
		})
		r.close()
		if failed != nil {
			return fmt.Errorf("%s: %w", name, failed)
		}
		if n > 0 {
			b.missed++
			fmt.Printf("%-52s %16.0f %16s %7s  0 MISSED\n", name, n, "", "")
		} else {
			fmt.Printf("%-52s %16.0f %16s %7s  0\n", name, n, "", "")
		}
	}
	return nil
}
