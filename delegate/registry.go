package delegate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Kind is a sort of backend that this build has, or could have. Package
// delegate/all registers every kind.
type Kind struct {
	// Name is what a profile calls it: "fallback", "tflite".
	Name string
	// Summary is one line for people.
	Summary string
	// Options are the keys that a profile may set, with their meaning.
	Options []Option
	// Open makes a backend with the given options, which hold only keys of
	// Options with values of the right type and in bounds; an error says what
	// else is wrong with them. It does not load libraries: that is for Probe
	// and Compile. Open is nil when this build lacks the backend; Missing
	// then says how to get it.
	Open    func(options map[string]any) (Backend, error)
	Missing string
	// Free: other options than Options are the backend's matter; they are
	// handed on as they are.
	Free bool
	// Vendor: the backend runs a vendor's code, which may crash, hang or end the
	// process; it runs in a process of its own unless a profile trusts it.
	Vendor bool
	// Table is what the device takes according to its documentation, in every
	// build and without the device; nil when nothing is known. It gets options
	// as Open does.
	Table func(options map[string]any) (Table, error)
}

var (
	kindsMutex sync.Mutex
	kinds      = map[string]Kind{}
)

// Register makes a kind known; it is called from init functions and panics on
// a name that is taken, and on a default that the option itself does not take.
func Register(k Kind) {
	kindsMutex.Lock()
	defer kindsMutex.Unlock()
	if _, taken := kinds[k.Name]; taken {
		panic("delegate: kind " + k.Name + " registered twice")
	}
	for _, o := range k.Options {
		if _, ok := o.accept(o.Default); !ok {
			panic("delegate: kind " + k.Name + ": option " + o.Name + " does not take its default")
		}
	}
	kinds[k.Name] = k
}

// Kinds lists the registered kinds by name.
func Kinds() []Kind {
	kindsMutex.Lock()
	defer kindsMutex.Unlock()
	list := make([]Kind, 0, len(kinds))
	for _, k := range kinds {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// find returns a kind, or a *KindError.
func find(kind string) (Kind, error) {
	kindsMutex.Lock()
	k, known := kinds[kind]
	kindsMutex.Unlock()
	if known {
		return k, nil
	}
	e := &KindError{Kind: kind}
	for _, k := range Kinds() {
		e.Known = append(e.Known, k.Name)
	}
	return Kind{}, e
}

// Check finds what is wrong with a kind's name or its options, also for a kind
// that this build lacks. The error is a *KindError or OptionErrors.
func Check(kind string, options map[string]any) error {
	k, err := find(kind)
	if err != nil {
		return err
	}
	_, err = k.settle(options)
	return err
}

// Open makes a backend of a registered kind. Options left out take their
// defaults. The error is one of Check's, or wraps ErrUnavailable when this
// build lacks the kind, or is the backend's own about its options.
func Open(kind string, options map[string]any) (Backend, error) {
	k, err := find(kind)
	if err != nil {
		return nil, err
	}
	full, err := k.settle(options)
	if err != nil {
		return nil, err
	}
	if k.Open == nil {
		return nil, fmt.Errorf("backend %s: %w: %s", kind, ErrUnavailable, k.Missing)
	}
	return k.Open(full)
}

// Settings are a kind's options as Open hands them to the backend, with defaults
// for those left out. The error is one of Check's.
func Settings(kind string, options map[string]any) (map[string]any, error) {
	k, err := find(kind)
	if err != nil {
		return nil, err
	}
	return k.settle(options)
}

// OptionsOf are the options of a kind; none of one that is not known.
func OptionsOf(kind string) []Option {
	k, err := find(kind)
	if err != nil {
		return nil
	}
	return k.Options
}

// TableOf is a kind's table with the given options, or an error of Check; nil
// when there is none.
func TableOf(kind string, options map[string]any) (Table, error) {
	k, err := find(kind)
	if err != nil {
		return nil, err
	}
	full, err := k.settle(options)
	if err != nil || k.Table == nil {
		return nil, err
	}
	return k.Table(full)
}

// IsVendor says whether a kind runs a vendor's code (Kind.Vendor).
func IsVendor(kind string) bool {
	k, err := find(kind)
	return err == nil && k.Vendor
}

// WhyUnavailable is the part of an error's text that says why a backend cannot
// be used, for places that have named the backend and said that it cannot be:
// what follows the text of ErrUnavailable. An error that does not wrap it is
// given whole.
func WhyUnavailable(err error) string {
	text := err.Error()
	if errors.Is(err, ErrUnavailable) {
		if _, why, ok := strings.Cut(text, ErrUnavailable.Error()+": "); ok {
			return why
		}
	}
	return text
}
