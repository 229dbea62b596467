//go:build race

package fallback

// raceDetector: tests run with the race detector, which allocates.
const raceDetector = true
