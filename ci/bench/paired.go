//go:build tflite

package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// sample is what one side of a measurement took, in seconds.
type sample []float64

// compared is the quantile that is compared: the median.
var compared = 0.5

// typical and spread of a sample; spread is half the distance between the 10th
// and the 90th percentile.
func (s sample) typical() float64 { return s.quantile(compared) }
func (s sample) spread() float64  { return (s.quantile(0.9) - s.quantile(0.1)) / 2 }

func (s sample) quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func (s sample) String() string {
	m := s.typical()
	unit, factor := "ms", 1e3
	if m < 1e-3 {
		unit, factor = "µs", 1e6
	}
	return fmt.Sprintf("%.4g %s ±%.0f%%", m*factor, unit, 100*s.spread()/m)
}

// rate is a sample as operations a second.
func (s sample) rate(operations float64) string {
	return fmt.Sprintf("%.0f G/s ±%.0f%%", operations/s.typical()/1e9, 100*s.spread()/s.typical())
}

const (
	// turn is how long one side runs at least before the other does.
	turn = 10 * time.Millisecond
	// rest is how long nobody runs between two turns: XNNPACK's threads look for
	// work for some fifty milliseconds before they sleep, and would take the
	// processors of the other side.
	rest = 80 * time.Millisecond
)

// paired runs both sides in turn until the time is over, after each has run
// twice. As many runs as count come before them in each turn: they wake threads
// and fill caches.
func (b *bench) paired(ours, peer func() error) (a, p sample, err error) {
	repeat := 1
	for _, f := range []func() error{ours, peer, ours, peer} {
		start := time.Now()
		if err := f(); err != nil {
			return nil, nil, err
		}
		if took := time.Since(start); took < turn {
			repeat = max(repeat, min(10000, int(turn/max(took, time.Microsecond))))
		}
	}
	run := func(f func() error) (float64, error) {
		time.Sleep(rest)
		for range repeat {
			if err := f(); err != nil {
				return 0, err
			}
		}
		start := time.Now()
		for range repeat {
			if err := f(); err != nil {
				return 0, err
			}
		}
		return time.Since(start).Seconds() / float64(repeat), nil
	}
	for end := time.Now().Add(b.budget); time.Now().Before(end) || len(a) < 7; {
		if err := b.ctx.Err(); err != nil {
			return nil, nil, err
		}
		x, err := run(ours)
		if err != nil {
			return nil, nil, err
		}
		y, err := run(peer)
		if err != nil {
			return nil, nil, err
		}
		a, p = append(a, x), append(p, y)
	}
	return a, p, nil
}

// geometricMean of ratios.
func geometricMean(ratios []float64) float64 {
	sum := 0.0
	for _, r := range ratios {
		sum += math.Log(r)
	}
	return math.Exp(sum / float64(len(ratios)))
}
