// Package weights stands between files of trained weights and graph constants:
// it checks that a file holds exactly the tensors of a model, and decides how
// each becomes a constant (float32, float16, or int8 with a scale per channel).
//
// It knows names, shapes and numbers, and nothing of any architecture.
package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrWeights is wrapped by every error about a file that does not hold what
// the model needs.
var ErrWeights = errors.New("weights do not fit the model")

// Source is where tensors come from; *safetensors.File is one.
type Source interface {
	// Names lists all tensors.
	Names() []string
	// Shape is the shape of a tensor; ok is false when there is none of that
	// name.
	Shape(name string) (shape []int, ok bool)
	// Float32s returns a tensor, row major, converted to float32. It is an
	// error when it is not of the given shape.
	Float32s(name string, shape ...int) ([]float32, error)
}

// Spec is a tensor that a model expects.
type Spec struct {
	Name  string
	Shape []int
}

// Check compares the file with the model: every tensor of want must be there
// with its shape, and there must be no other, except those for which ignore
// (may be nil) returns true. family names the model in the error: "FLUX
// transformer".
func Check(family string, src Source, want []Spec, ignore func(name string) bool) error {
	expected := make(map[string]bool, len(want))
	var missing, wrong []string
	for _, s := range want {
		expected[s.Name] = true
		shape, ok := src.Shape(s.Name)
		if !ok {
			missing = append(missing, s.Name)
		} else if !slices.Equal(shape, s.Shape) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, not %v", s.Name, shape, s.Shape))
		}
	}
	if len(missing) == len(want) && len(want) > 0 {
		return fmt.Errorf("%w: not a %s: it has none of its tensors (%s, …), but %s", ErrWeights, family, want[0].Name, some(src.Names(), "tensors"))
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s lacks %s", ErrWeights, family, some(missing, "tensors"))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %s: %s; is the configuration the one of these weights?", ErrWeights, family, some(wrong, "shapes"))
	}
	var extra []string
	for _, n := range src.Names() {
		if !expected[n] && (ignore == nil || !ignore(n)) {
			extra = append(extra, n)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return fmt.Errorf("%w: %s has no place for %s; is the configuration the one of these weights?", ErrWeights, family, some(extra, "tensors"))
	}
	return nil
}

// some lists a few names on one line.
func some(names []string, what string) string {
	const most = 3
	switch {
	case len(names) == 0:
		return "no " + what
	case len(names) <= most:
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more %s", strings.Join(names[:most], ", "), len(names)-most, what)
}

// Reader reads tensors that Check has found, keeping the first error. After an
// error it returns zeros of the right size, so that a builder need not look at
// each.
type Reader struct {
	src Source
	err error
}

// NewReader returns a reader of src.
func NewReader(src Source) *Reader { return &Reader{src: src} }

// Get returns a tensor of the given shape as float32.
func (r *Reader) Get(name string, shape ...int) []float32 {
	v, err := r.src.Float32s(name, shape...)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("%w: %w", ErrWeights, err)
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		return make([]float32, n)
	}
	return v
}

// Err is the first error of Get.
func (r *Reader) Err() error { return r.err }
