package fallback

import "nanoflux/fallback/simd"

// CheckEnvironment is an error when the environment asks for something that the
// Go kernels do not have; they run all the same. NANOFLUX_SIMD names the level of
// CPU features.
func CheckEnvironment() error { return simd.Problem() }
