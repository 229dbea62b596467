//go:build tflite

package emulated_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/external"
)

// A fault at create strikes when a delegate is made, so looking for the device
// meets it already.
func TestFaultsWhileADelegateIsMade(t *testing.T) {
	for fault, want := range map[string]string{"refuse": "there is no device", "fail": "there is no device", "lost": "there is no device"} {
		_, err := plugin(t, external.Setting{Key: "fault", Value: fault}, external.Setting{Key: "fault_at", Value: "create"}).Probe(t.Context())
		if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	for fault, want := range map[string]string{"segv": "SIGSEGV", "abort": "SIGABRT", "exit0": "exit code 0"} {
		_, err := isolated(t, time.Minute, map[string]any{"fault": fault, "fault_at": "create"}).Probe(t.Context())
		var lost *delegate.LostError
		if !errors.As(err, &lost) || !strings.Contains(lost.Cause, want) {
			t.Errorf("%s: %v", fault, err)
		}
	}
	for _, fault := range []string{"nan", "wrong", "slow", "fewer"} {
		if _, err := plugin(t, external.Setting{Key: "fault", Value: fault}, external.Setting{Key: "fault_at", Value: "create"}).Probe(t.Context()); err != nil {
			t.Errorf("%s: %v", fault, err)
		}
	}
}
