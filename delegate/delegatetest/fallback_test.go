package delegatetest_test

import (
	"testing"

	"nanoflux/delegate/delegatetest"
	"nanoflux/fallback"
)

func TestFallbackComplies(t *testing.T) {
	delegatetest.RunAll(t, fallback.New(fallback.Options{}), len(delegatetest.Cases()))
}

func TestFallbackOnOneThreadComplies(t *testing.T) {
	delegatetest.RunAll(t, fallback.New(fallback.Options{Threads: 1}), len(delegatetest.Cases()))
}

func TestFallbackGivesTheQuantizedGoldens(t *testing.T) {
	delegatetest.RunQuantized(t, fallback.New(fallback.Options{}))
	delegatetest.RunQuantized(t, fallback.New(fallback.Options{Threads: 1}))
}
