package flux

import "math"

// TimeProjection returns the sinusoids that the timestep (or guidance) embedder
// takes for t: cosines first, [256]. t is the flow time in 0…1, or the guidance
// scale; both are multiplied by 1000 first.
//
// With h = 128: out[k] = cos(a), out[h+k] = sin(a), a = 1000·t·exp(−ln(10000)·k/h).
// The argument is formed in float32 step by step as in the reference (diffusers,
// get_timestep_embedding with flip_sin_to_cos and no frequency shift): near
// a = 1000 a float32 has steps of 6e-5, which the model was trained with. The
// conversions between the steps also forbid fused multiply-adds, which would
// make platforms differ.
func TimeProjection(t float32) []float32 {
	const half = TimeChannels / 2
	scaled := float32(t * 1000)
	minusLog := float32(-math.Log(10000))
	out := make([]float32, TimeChannels)
	for k := range half {
		exponent := float32(float32(minusLog*float32(k)) / half)
		frequency := float32(math.Exp(float64(exponent)))
		angle := float64(float32(scaled * frequency))
		out[k] = float32(math.Cos(angle))
		out[half+k] = float32(math.Sin(angle))
	}
	return out
}
