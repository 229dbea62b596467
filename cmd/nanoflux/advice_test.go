package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/graph"
	"nanoflux/partition/exec"
)

func TestEveryRemedyIsAdvice(t *testing.T) {
	all := []string{adviceOnInput, adviceOnOutput, adviceOnFailure}
	for _, r := range remedies {
		all = append(all, r.do)
	}
	for _, do := range all {
		if advice("what is wrong; "+do) != do {
			t.Errorf("%q does not begin as advice does", do)
		}
	}
}

func TestAdviceIsTheLastClauseThatSaysWhatToDo(t *testing.T) {
	for line, want := range map[string]string{
		"no such file":                        "",
		"no such file; check the path":        "check the path",
		"a b; seen before":                    "",
		"see below; the file may be cut":      "",
		`no key "x"; did you mean "y"?`:       `did you mean "y"?`,
		"wrong; give a file; the most is one": "",
		"wrong; there are a, b; fetch it":     "fetch it",
	} {
		if got := advice(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestErrorsEndWithWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("a.tflite: %w", fs.ErrNotExist), "a.tflite: file does not exist; check the path"},
		{errors.New("took too long; give it more time"), "took too long; give it more time"},
		{errors.New("on fire"), "on fire; " + adviceOnFailure},
		{badInput(errors.New("odd")), "odd; " + adviceOnInput},
		{notWritten(errors.New("odd")), "odd; " + adviceOnOutput},
		{fmt.Errorf("%w: it burns", delegate.ErrLost), "; see nanoflux doctor"},
		{fmt.Errorf("segment 1: %w", &exec.LeftError{Backend: "npu", Ops: []int{1}, Names: []string{"op 1"}}), "; add a rule that sends them elsewhere"},
		{fmt.Errorf("%w: y is off by 0.3 of range; op 1 is the first wrong one: 0.3 of range", exec.ErrWrong), "; add a rule that sends the operator elsewhere"},
		{fmt.Errorf("npu: %w: it crashed; try it again after nanoflux doctor --forget", guarded.ErrRemembered), "it crashed; try it again after nanoflux doctor --forget"},
		// The cause decides, not what it wraps.
		{fmt.Errorf("%w: %w", graph.ErrFormat, fs.ErrPermission), "; give a .tflite file"},
	} {
		var b strings.Builder
		report(&b, c.err)
		if got := b.String(); !strings.Contains(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%q lacks %q", got, c.want)
		}
	}
}
