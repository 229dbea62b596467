package progress

import (
	"bytes"
	"testing"
	"time"
)

func TestTheBarFillsWithTheSteps(t *testing.T) {
	for _, c := range []struct {
		step, of int
		want     string
	}{
		{0, 10, "denoise  ····················  0/10  1.5 s"},
		{3, 10, "denoise  ██████··············  3/10  1.5 s"},
		{10, 10, "denoise  ████████████████████  10/10  1.5 s"},
		{0, 0, "denoise  1.5 s"},
	} {
		if got := Text("denoise", c.step, c.of, 1500*time.Millisecond); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.step, c.of, got, c.want)
		}
	}
}

func TestNothingIsWrittenToAPipe(t *testing.T) {
	var b bytes.Buffer
	l := New(&b)
	l.Show("denoise", 1, 2, time.Second)
	l.Clear()
	if b.Len() > 0 {
		t.Errorf("wrote %q", b.String())
	}
}

func TestALineReplacesTheOneBefore(t *testing.T) {
	var b bytes.Buffer
	l := &Line{to: &b, width: 10}
	l.Show("a long name of a stage", 0, 0, 0)
	l.Show("b", 0, 0, 0)
	l.Clear()
	l.Clear()
	if got, want := b.String(), "\r\x1b[Ka long na\r\x1b[Kb  0.0 s\r\x1b[K"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
