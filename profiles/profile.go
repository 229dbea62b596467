// Package profiles reads device profiles: small YAML files that say which
// backends a device has, in order of preference, which operators go where, and
// what happens when an operator misses its place. docs/profiles.md describes
// the format for people.
//
// It knows models (package graph: operator and element types) and nothing of
// backends: a backend's kind and options are names and values here. Whoever
// knows what they mean gives Parse or Load a BackendCheck, and what that finds
// is reported like every other mistake.
package profiles

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nanoflux/graph"
)

// FormatVersion is the version of the format that this package reads.
const FormatVersion = 1

// Errors that callers test for with errors.Is.
var (
	// ErrInvalid: the text is not a valid profile. errors.As with Errors gives
	// every place that is wrong.
	ErrInvalid = errors.New("invalid profile")
	// ErrUnknown: there is no profile of that name, and no such file.
	ErrUnknown = errors.New("unknown profile")
)

// Profile says where operators run. One that came from Parse or Load is
// consistent: names are unique, rules name backends that exist, numbers are in
// range.
type Profile struct {
	Version     int
	Name        string
	Description string
	// File is where the profile was read from, for messages.
	File  string
	Match Match
	// Backends in order of preference; at least one.
	Backends []Backend
	// Rewrites are names of passes (package graph/rewrite) that change how a
	// model is written before it is planned; their order does not count.
	Rewrites []string
	Rules    []Rule
	Policy   Policy
}

// Match says which devices a profile is for. An empty list fits every device.
// Patterns may hold * (any text) and ? (any character); case does not count.
type Match struct {
	// SoC patterns are compared with each name the device has (SoC.Names).
	SoC []string
	// Platform patterns are compared with "linux/arm64" and its kind.
	Platform []string
}

// Backend is one entry of a profile's backends.
type Backend struct {
	// Name is what rules call it; the kind if the file gives none.
	Name string
	// Kind is a registered backend kind: "fallback", "tflite".
	Kind string
	// Options hold int, bool, string and float64 values.
	Options map[string]any
	// Trusted backends run in the program itself. Others that run a vendor's
	// code run in a process of their own.
	Trusted bool
	// Deadline is how many seconds a call into that process may take until it
	// counts as hung; 0 for the default.
	Deadline float64
	// Line in the file, from 1.
	Line int
	// at is where its parts stand in the file.
	at places
}

// Policy says what happens when an operator cannot run on its first choice.
type Policy string

// The policies.
const (
	// Fail: planning ends with an error.
	Fail Policy = "fail"
	// Warn: the next backend takes it, and the plan carries a warning.
	Warn Policy = "warn"
	// Fallback: the next backend takes it; the plan lists it, without warning.
	Fallback Policy = "fallback"
)

// Rule places the operators that it matches. All its conditions must hold; a
// condition that is empty always does.
type Rule struct {
	// Ops are operator types as the format spells them ("CONV_2D"), or
	// "CUSTOM:pattern" for custom operators by name.
	Ops []string
	// Names are patterns (* and ?) for the name of one of the operator's
	// output tensors; TFLite operators have no name of their own.
	Names []string
	// Indices are ranges of operator indices in the subgraph.
	Indices []Range
	// Types holds for an operator when one of its outputs, or of its inputs
	// that are not constant, has one of these element types.
	Types []graph.TensorType
	// Parts are patterns for the part of a bundle: "denoiser".
	Parts []string

	// Backends are the first choices for a matched operator, best first. The
	// profile's other backends come after them. The first rule that matches
	// and has Backends counts.
	Backends []string
	// Avoid are backends that a matched operator never runs on. Every rule
	// that matches counts.
	Avoid []string
	// Because is for people; plans repeat it.
	Because string
	// Line in the file, from 1.
	Line int
}

// Range is a range of operator indices, both ends included.
type Range struct{ First, Last int }

// Backend returns the backend of that name.
func (p *Profile) Backend(name string) (b Backend, ok bool) {
	i := slices.IndexFunc(p.Backends, func(b Backend) bool { return b.Name == name })
	if i < 0 {
		return Backend{}, false
	}
	return p.Backends[i], true
}

// Error is one mistake in a profile.
type Error struct {
	File string
	// Line and Column count from 1; Column is 0 where only the line is known,
	// Line where neither is.
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors are all mistakes found in a profile, in the order of the file; it
// wraps ErrInvalid. There is at least one.
type Errors []*Error

// Error is one line: the first mistake, and how many follow.
func (e Errors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", e[0], len(e)-1)
}

// Unwrap makes errors.Is(e, ErrInvalid) hold.
func (e Errors) Unwrap() error { return ErrInvalid }

// Lines is every mistake on a line of its own.
func (e Errors) Lines() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}
