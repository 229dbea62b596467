package pipeline

import (
	"fmt"
	"math"
)

// Spacing says where a schedule's sigmas lie before they are shifted.
type Spacing string

const (
	// SpacingSteps is 1, 1−1/n, …, 1/n: what the FLUX pipelines ask for.
	SpacingSteps Spacing = "steps"
	// SpacingRange runs evenly from the largest to the smallest trained
	// sigma: what the reference scheduler does when it is only given n.
	SpacingRange Spacing = "range"
)

// TimeShift is the curve of a shift that depends on the picture's size.
type TimeShift string

const (
	TimeShiftExponential TimeShift = "exponential"
	TimeShiftLinear      TimeShift = "linear"
)

// Schedule chooses the noise levels (sigmas) of a flow-matching Euler sampler.
// The zero value is the plain linear schedule without a shift. The formulas are
// those of diffusers' FlowMatchEulerDiscreteScheduler.
type Schedule struct {
	Spacing Spacing // empty: SpacingSteps
	// Shift moves the sigmas towards noise: σ ← s·σ / (1 + (s−1)·σ).
	// 0 means 1, no shift. Not used when Dynamic is set.
	Shift float64
	// Dynamic shifts by the number of image tokens instead, see Mu.
	Dynamic   bool
	TimeShift TimeShift // empty: TimeShiftExponential
	// BaseTokens ↦ BaseShift and MaxTokens ↦ MaxShift fix the line that gives
	// mu. All zero means FLUX's 256 ↦ 0.5, 4096 ↦ 1.15.
	BaseTokens, MaxTokens int
	BaseShift, MaxShift   float64
	// TrainTimesteps is how many timesteps training had; 0 means 1000.
	// Only SpacingRange looks at it.
	TrainTimesteps int
}

// MaxSteps bounds what a caller may ask for: more steps than timesteps were
// trained change nothing.
const MaxSteps = 1000

// Mu is the shift parameter for a number of image tokens: a line through
// (BaseTokens, BaseShift) and (MaxTokens, MaxShift).
func (s Schedule) Mu(tokens int) float64 {
	if s.BaseTokens == 0 && s.MaxTokens == 0 && s.BaseShift == 0 && s.MaxShift == 0 {
		s.BaseTokens, s.MaxTokens, s.BaseShift, s.MaxShift = 256, 4096, 0.5, 1.15
	}
	slope := (s.MaxShift - s.BaseShift) / float64(s.MaxTokens-s.BaseTokens)
	return float64(float64(tokens)*slope) + (s.BaseShift - float64(slope*float64(s.BaseTokens)))
}

// Sigmas returns the steps+1 noise levels of a run, from 1 (all noise) down to
// 0 (none), for an image of the given number of tokens. Step i goes from
// Sigmas[i] to Sigmas[i+1]; the denoiser's timestep at step i is
// 1000·Sigmas[i].
func (s Schedule) Sigmas(steps, tokens int) ([]float32, error) {
	if steps < 1 || steps > MaxSteps {
		return nil, fmt.Errorf("%d steps: takes 1 to %d", steps, MaxSteps)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	shift, err := s.curve(tokens)
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	first, last := 1.0, 1/float64(steps)
	if s.Spacing == SpacingRange {
		train := float64(1000)
		if s.TrainTimesteps > 0 {
			train = float64(s.TrainTimesteps)
		}
		last = 1 / train
		if !s.Dynamic { // the reference shifts its range, then the sigmas again
			last = shift(last)
		}
	}
	sigmas := make([]float32, steps+1)
	for i := range steps {
		sigma := first
		if i > 0 {
			sigma = first + float64(float64(i)*(last-first))/float64(steps-1)
		}
		sigmas[i] = float32(shift(sigma))
	}
	return sigmas, nil
}

// curve is the shift as a function of one sigma in (0, 1].
func (s Schedule) curve(tokens int) (func(float64) float64, error) {
	if !s.Dynamic {
		k := s.Shift
		if k == 0 {
			k = 1
		}
		return func(sigma float64) float64 {
			return float64(k*sigma) / (1 + float64((k-1)*sigma))
		}, nil
	}
	mu := s.Mu(tokens)
	if !(mu >= -16 && mu <= 16) {
		return nil, fmt.Errorf("a shift of %g for %d image tokens is out of range", mu, tokens)
	}
	k := mu
	if s.TimeShift != TimeShiftLinear {
		k = exactExp(mu)
	}
	if k <= 0 {
		return nil, fmt.Errorf("a linear shift of %g for %d image tokens is not positive", k, tokens)
	}
	return func(sigma float64) float64 { return k / (k + (1/sigma - 1)) }, nil
}

func (s Schedule) check() error {
	switch {
	case s.Spacing != "" && s.Spacing != SpacingSteps && s.Spacing != SpacingRange:
		return fmt.Errorf("no spacing %q; there are %s, %s", s.Spacing, SpacingSteps, SpacingRange)
	case s.TimeShift != "" && s.TimeShift != TimeShiftExponential && s.TimeShift != TimeShiftLinear:
		return fmt.Errorf("no time shift %q; there are %s, %s", s.TimeShift, TimeShiftExponential, TimeShiftLinear)
	case !(s.Shift >= 0 && s.Shift <= math.MaxFloat32):
		return fmt.Errorf("shift %g is not a positive number", s.Shift)
	case s.TrainTimesteps < 0:
		return fmt.Errorf("%d trained timesteps", s.TrainTimesteps)
	case s.Dynamic && s.BaseTokens == s.MaxTokens && (s.BaseTokens != 0 || s.BaseShift != 0 || s.MaxShift != 0):
		return fmt.Errorf("base and max token count are both %d", s.BaseTokens)
	}
	return nil
}

// eulerStep moves x from noise level from to noise level to along the
// velocity: x ← x + (to − from)·v, in float32 without fused operations, as the
// reference does. x and v have equal length.
func eulerStep(x, v []float32, from, to float32) {
	d := to - from
	for i := range x {
		x[i] += float32(d * v[i])
	}
}
