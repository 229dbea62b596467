package main

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"nanoflux/cmd/nanoflux/internal/feed"
	"nanoflux/cmd/nanoflux/internal/modelrun"
	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/pipeline"
	"nanoflux/models/text"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// An error says what to do, or what there is to choose from, after its last
// semicolon, in a clause that begins with one of these. What says no such thing
// gets the advice below.
var openings = []string{
	"add", "build", "change", "check", "choose", "convert", "copy", "correct", "did you mean", "fetch", "free", "give",
	"it has", "make", "place", "please report", "put", "raise", "see", "store", "takes", "there are", "there is", "try", "write",
}

// advice is the clause of an error's line that says what to do, empty if it has
// none.
func advice(line string) string {
	at := strings.LastIndex(line, "; ")
	if at < 0 {
		return ""
	}
	if strings.Count(line[:at], "(") > strings.Count(line[:at], ")") {
		return "" // it belongs to what the parentheses quote
	}
	clause := line[at+len("; "):]
	for _, o := range openings {
		if strings.HasPrefix(clause, o+" ") {
			return clause
		}
	}
	return ""
}

// remedies are what to do about errors, by what they wrap: the nearer to the
// cause the earlier.
var remedies = []struct {
	is error
	do string
}{
	{syscall.EMFILE, "raise the limit of open files (ulimit -n)"},
	{feed.ErrSpec, "see nanoflux run --help"},
	{feed.ErrFile, "change its shape with NumPy, or see nanoflux inspect for what the model takes"},
	{feed.ErrType, "choose a model whose inputs are numbers"},
	{npy.ErrFormat, "make the file with numpy.save"},
	{bundle.ErrHash, "fetch the bundle again"},
	{text.ErrTokenizer, "fetch or make the bundle again"},
	{pipeline.ErrParts, "make the bundle of parts of one model"},
	{graph.ErrFormat, "give a .tflite file, or fetch it again if it is one"},
	{graph.ErrModel, "convert the model again, or report this if TensorFlow Lite runs it"},
	{bundle.ErrFormat, "fetch or make the bundle again"},
	{profiles.ErrInvalid, "correct it (nanoflux profile show mixed-go prints one that is valid)"},
	{partition.ErrUnplaced, "choose a profile with a backend that takes it, see nanoflux doctor"},
	{modelrun.ErrDiffer, "see nanoflux plan for which operator ran where"},
	{exec.ErrLeft, "add a rule that sends them elsewhere, or change the policy to fallback, which does so"},
	{exec.ErrWrong, "add a rule that sends the operator elsewhere, or try a profile without that backend"},
	{pipeline.ErrNotFinite, "try --profile cpu-go, or fetch the bundle again if it fails there too"},
	{delegate.ErrUnavailable, "see nanoflux doctor for what works here"},
	{delegate.ErrLost, "see nanoflux doctor for what works here, or try another profile (cpu-go works everywhere)"},
	{delegate.ErrInput, "see nanoflux inspect for what the model takes"},
	{syscall.ENOSPC, "free some space or write elsewhere"},
	{fs.ErrNotExist, "check the path"},
	{fs.ErrPermission, "change the permissions or copy it elsewhere"},
}

// What to do when nothing better is known, by exit code.
const (
	adviceOnInput   = "check that the file can be read and is of the right kind"
	adviceOnOutput  = "write elsewhere"
	adviceOnFailure = "try --profile cpu-go, or see nanoflux doctor for what works here"
)

// adviceFor is what to do about an error that does not say it.
func adviceFor(err error, code int) string {
	for _, r := range remedies {
		if errors.Is(err, r.is) {
			return r.do
		}
	}
	switch code {
	case exitInput:
		return adviceOnInput
	case exitOutput:
		return adviceOnOutput
	}
	return adviceOnFailure
}
