package delegate

import (
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
	// Options with values of the right type. It does not load libraries: that
	// is for Probe and Compile. Open is nil when this build lacks the
	// backend; Missing then says how to get it.
	Open    func(options map[string]any) (Backend, error)
	Missing string
}

// Option is one setting of a backend.
type Option struct {
	Name string
	// Default also gives the type: int, bool, string or float64.
	Default any
	Help    string
}

var (
	kindsMutex sync.Mutex
	kinds      = map[string]Kind{}
)

// Register makes a kind known; it is called from init functions and panics on
// a name that is taken.
func Register(k Kind) {
	kindsMutex.Lock()
	defer kindsMutex.Unlock()
	if _, taken := kinds[k.Name]; taken {
		panic("delegate: kind " + k.Name + " registered twice")
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

// Open makes a backend of a registered kind. Options left out take their
// defaults. The error wraps ErrUnavailable when this build lacks the kind.
func Open(kind string, options map[string]any) (Backend, error) {
	kindsMutex.Lock()
	k, known := kinds[kind]
	kindsMutex.Unlock()
	if !known {
		var names []string
		for _, k := range Kinds() {
			names = append(names, k.Name)
		}
		return nil, fmt.Errorf("no backend kind %q; there are %s", kind, strings.Join(names, ", "))
	}
	full := map[string]any{}
	for _, o := range k.Options {
		full[o.Name] = o.Default
	}
	for name, value := range options {
		want, known := full[name]
		if !known {
			var names []string
			for _, o := range k.Options {
				names = append(names, o.Name)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("backend %s has no option %q; it has %s", kind, name, strings.Join(names, ", "))
		}
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", value) {
			return nil, fmt.Errorf("option %q of backend %s is a %T, not a %T", name, kind, want, value)
		}
		full[name] = value
	}
	if k.Open == nil {
		return nil, fmt.Errorf("backend %s: %w: %s", kind, ErrUnavailable, k.Missing)
	}
	return k.Open(full)
}
