package profiles

import (
	"slices"

	"nanoflux/profiles/nearest"
)

// BackendCheck says what is wrong with a backend's kind and options; nothing if
// they are right. Parse calls it for each backend whose kind it could read, with
// the options that it could read.
type BackendCheck func(b Backend) []Finding

// Finding is a mistake that a BackendCheck found.
type Finding struct {
	// Option is the option that is wrong; empty for the kind.
	Option string
	// Value says that not the option's name is wrong but its value.
	Value bool
	// Message says what is wrong, in one line.
	Message string
	// Word is what is not one of Valid. When there are any, the nearest of
	// them, or a short list of all, is put behind the message.
	Word  string
	Valid []string
}

func (f Finding) text() string {
	if f.Valid == nil {
		return f.Message
	}
	return f.Message + suggest(f.Word, f.Valid)
}

// Position is a place in a file. Both count from 1; Column is 0 where only the
// line is known, Line where neither is.
type Position struct{ Line, Column int }

// places are where the parts of a backend stand. All are empty for a backend
// that did not come from a file.
type places struct {
	kind Position
	// options by name
	options map[string]optionPlace
}

type optionPlace struct{ name, value Position }

// position is where the finding's part of the backend stands, or as much of
// that as is known.
func (b Backend) position(f Finding) Position {
	if o, ok := b.at.options[f.Option]; ok && f.Option != "" {
		if f.Value {
			return o.value
		}
		return o.name
	}
	if b.at.kind != (Position{}) {
		return b.at.kind
	}
	return Position{Line: b.Line}
}

// CheckBackends calls check for every backend. What it finds comes back as
// Errors, in the order of the file.
func (p *Profile) CheckBackends(check BackendCheck) error {
	r := &reader{file: p.File}
	if r.file == "" {
		r.file = "profile " + p.Name
	}
	for _, b := range p.Backends {
		r.check(b, check)
	}
	return r.result()
}

// check records what the check finds.
func (r *reader) check(b Backend, check BackendCheck) {
	for _, f := range check(b) {
		r.failAt(b.position(f), "%s", f.text())
		if f.Option == "" && f.Word == b.Name && f.Word == b.Kind {
			// The kind is its name too, and neither will stay.
			meant, _ := nearest.Word(f.Word, f.Valid)
			r.misnamed = append(r.misnamed, misnamed{b.Name, meant})
		}
	}
}

// misnamed is a backend called by a kind that there is not, and the kind that
// was probably meant.
type misnamed struct{ name, meant string }

// result is the mistakes so far as Errors, sorted, or nil if there are none.
func (r *reader) result() error {
	if len(r.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	// An alias brings the same mistake once for each use.
	return slices.CompactFunc(r.errs, func(a, b *Error) bool { return *a == *b })
}
