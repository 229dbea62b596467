package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/partition/exec"
)

func TestVerifyComparesEachSegment(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	profile := file(t, "all.yaml", []byte("version: 1\nname: all\nbackends:\n  - kind: tflite\n"))
	type result struct {
		Verified *struct {
			Reference       string
			Compared, Wrong int
		}
		Segments []exec.SegmentReport
	}
	verified := func(args ...string) (r result) {
		t.Helper()
		if err := json.Unmarshal([]byte(ok(t, append([]string{"run", path, "--json"}, args...)...)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := verified(); r.Verified != nil {
		t.Errorf("without the flag: %+v", r)
	}
	// The Go kernels are not compared with themselves.
	if r := verified("--verify"); r.Verified == nil || r.Verified.Reference != "fallback" || r.Verified.Compared != 0 {
		t.Errorf("on the Go kernels: %+v", r)
	}
	if text := ok(t, "run", path, "--verify"); !strings.Contains(text, "nothing to compare") {
		t.Errorf("printed\n%s", text)
	}
	if !slices.ContainsFunc(delegate.Kinds(), func(k delegate.Kind) bool { return k.Name == "tflite" && k.Open != nil }) {
		return
	}
	r := verified("--verify", "--profile", profile)
	if r.Verified == nil || r.Verified.Compared != 1 || r.Verified.Wrong != 0 || r.Segments[0].Verified == nil || r.Segments[0].Verified.Runs != 1 {
		t.Errorf("on TensorFlow Lite: %+v", r)
	}
	right := "verified with fallback: 1 segment compared, all right; largest error "
	if text := ok(t, "run", path, "--verify", "--profile", profile); !strings.Contains(text, right) || !strings.Contains(text, " of the range, tolerance 0.001\n") {
		t.Errorf("printed\n%s", text)
	}
	picture := file(t, "picture.png", nil)
	right = "verified with fallback: 4 segments compared, all right; largest error "
	if text := ok(t, "generate", "a red apple", "--steps", "1", "--verify", "--profile", profile, "-o", picture); strings.Count(text, right) != 1 {
		t.Errorf("printed\n%s", text)
	}
	var made struct{ Verified *exec.Verification }
	text := ok(t, "generate", "a red apple", "--steps", "1", "--verify", "--profile", profile, "-o", picture, "--json")
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.Verified == nil || made.Verified.Compared != 4 || made.Verified.Tolerance != 1e-3 {
		t.Errorf("%v, %+v", err, made.Verified)
	}
}
