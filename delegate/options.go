package delegate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Option is one setting of a backend.
type Option struct {
	Name string
	// Default also gives the type: int, bool, string or float64.
	Default any
	// Min and Max bound an int or float64, both included. There is no bound
	// unless Max is above Min.
	Min, Max float64
	// OneOf are the texts that a string may be; any when it is empty.
	OneOf []string
	// Aside: which operators the device takes does not depend on it.
	Aside bool
	Help  string
}

// KindError says that no backend of that kind is registered.
type KindError struct {
	Kind string
	// Known are the registered kinds, sorted.
	Known []string
}

func (e *KindError) Error() string {
	return fmt.Sprintf("no backend kind %q; there are %s", e.Kind, strings.Join(e.Known, ", "))
}

// OptionError is one wrong option: its name, or else its value.
type OptionError struct {
	Kind, Option string
	// Known are the kind's options, sorted. It is only set when Option is not
	// one of them.
	Known []string
	// Want and Got are clauses for people: "a whole number from 0 to 256",
	// "the text \"two\"". They are empty when the kind has no such option.
	Want, Got string
}

// UnknownName reports whether the kind has no such option; otherwise the value
// is wrong.
func (e *OptionError) UnknownName() bool { return e.Want == "" }

func (e *OptionError) Error() string {
	switch {
	case !e.UnknownName():
		return fmt.Sprintf("option %s of backend %s must be %s, not %s", e.Option, e.Kind, e.Want, e.Got)
	case len(e.Known) == 0:
		return fmt.Sprintf("backend %s has no option %q; it has none", e.Kind, e.Option)
	}
	return fmt.Sprintf("backend %s has no option %q; it has %s", e.Kind, e.Option, strings.Join(e.Known, ", "))
}

// OptionErrors are all wrong options of a backend, sorted by name. There is at
// least one.
type OptionErrors []*OptionError

func (e OptionErrors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets errors.As find the first *OptionError.
func (e OptionErrors) Unwrap() []error {
	list := make([]error, len(e))
	for i, one := range e {
		list[i] = one
	}
	return list
}

// settle is the kind's defaults with the given options put over them, or
// OptionErrors.
func (k Kind) settle(options map[string]any) (map[string]any, error) {
	full := make(map[string]any, len(k.Options))
	var known []string
	for _, o := range k.Options {
		full[o.Name] = o.Default
		known = append(known, o.Name)
	}
	slices.Sort(known)
	var wrong OptionErrors
	for name, value := range options {
		i := slices.IndexFunc(k.Options, func(o Option) bool { return o.Name == name })
		if i < 0 && k.Free {
			full[name] = value
			continue
		}
		if i < 0 {
			wrong = append(wrong, &OptionError{Kind: k.Name, Option: name, Known: known})
			continue
		}
		settled, ok := k.Options[i].accept(value)
		if !ok {
			wrong = append(wrong, &OptionError{Kind: k.Name, Option: name, Want: k.Options[i].want(), Got: describe(value)})
			continue
		}
		full[name] = settled
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b *OptionError) int { return strings.Compare(a.Option, b.Option) })
		return nil, wrong
	}
	return full, nil
}

// accept returns the value in the option's type, if it has that and is in
// bounds. A whole number is taken for a float64: to people 1 and 1.0 are the
// same.
func (o Option) accept(value any) (any, bool) {
	switch o.Default.(type) {
	case int:
		v, ok := value.(int)
		return v, ok && o.inBounds(float64(v))
	case float64:
		if whole, ok := value.(int); ok {
			value = float64(whole)
		}
		v, ok := value.(float64)
		return v, ok && o.inBounds(v)
	case bool:
		v, ok := value.(bool)
		return v, ok
	case string:
		v, ok := value.(string)
		return v, ok && (len(o.OneOf) == 0 || slices.Contains(o.OneOf, v))
	}
	return nil, false
}

func (o Option) bounded() bool { return o.Max > o.Min }

// inBounds is false for NaN where there are bounds.
func (o Option) inBounds(v float64) bool { return !o.bounded() || v >= o.Min && v <= o.Max }

// want says what values the option takes.
func (o Option) want() string {
	var s string
	switch o.Default.(type) {
	case bool:
		return "true or false"
	case string:
		if len(o.OneOf) > 0 {
			return "one of " + strings.Join(o.OneOf, ", ")
		}
		return "text"
	case int:
		s = "a whole number"
	case float64:
		s = "a number"
	}
	if o.bounded() {
		s += " from " + decimal(o.Min) + " to " + decimal(o.Max)
	}
	return s
}

// describe names a value, for messages of one line.
func describe(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("the text %.60q", v)
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		s := decimal(v)
		if v == math.Trunc(v) && !strings.ContainsAny(s, ".eI") {
			s += ".0" // it is wrong because it is not written as a whole number
		}
		return s
	}
	return fmt.Sprintf("a %T", value)
}

// decimal writes a number as people do, up to 10²¹ without an exponent.
func decimal(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
