package weights

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"nanoflux/graph"
)

// blankElements is the most that one tensor of a blank source may have; the
// vocabulary of the largest T5 has 131.6 million.
const blankElements = 1 << 27

// blankMemory is read-only memory of zeros that nobody has to hold: pages of it
// exist only where somebody reads. nil until there is a Blank source.
var blankMemory atomic.Pointer[[blankElements]float32]

var mapBlank = sync.OnceValue(func() error {
	memory, err := mmap.MapRegion(nil, blankElements*4, mmap.RDONLY, mmap.ANON, 0)
	if err != nil {
		return fmt.Errorf("%w: no memory for weights without values: %w", ErrWeights, err)
	}
	blankMemory.Store((*[blankElements]float32)(unsafe.Pointer(unsafe.SliceData(memory))))
	return nil
})

// Blank is a Source that has exactly the tensors of a list, and zeros for all
// values. They occupy no memory, however large the model: for building graphs
// only for their structure. Its slices must not be written to; that is a fault.
//
// The builders keep blank tensors blank (IsBlank), whatever storage they give
// them: a weight that is permuted, joined or narrowed is zeros as before.
func Blank(list []Spec) (Source, error) {
	if err := mapBlank(); err != nil {
		return nil, err
	}
	b := blank{}
	for _, s := range list {
		if n, err := graph.Elements(s.Shape); err != nil || n > blankElements {
			return nil, fmt.Errorf("%w: a blank tensor %s of %v; the most is %d elements", ErrWeights, s.Name, s.Shape, blankElements)
		}
		b[s.Name] = s.Shape
	}
	return b, nil
}

// blank is the shapes of the tensors.
type blank map[string][]int

func (b blank) Names() []string {
	names := make([]string, 0, len(b))
	for n := range b {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (b blank) Shape(name string) ([]int, bool) { s, ok := b[name]; return s, ok }

func (b blank) Float32s(name string, shape ...int) ([]float32, error) {
	if s, ok := b[name]; !ok || !slices.Equal(s, shape) {
		return nil, fmt.Errorf("tensor %s is %v, not %v", name, s, shape)
	}
	n, _ := graph.Elements(shape)
	return blankMemory.Load()[:n:n], nil
}

// IsBlank reports whether values are those of a Blank source, zeros that must be
// neither copied nor written to.
func IsBlank(values []float32) bool {
	memory := blankMemory.Load()
	return memory != nil && len(values) > 0 && unsafe.SliceData(values) == &memory[0]
}

// Join is all parts one behind the other; blank if all of them are.
func Join(parts ...[]float32) []float32 {
	total := 0
	for _, p := range parts {
		total += len(p)
		if !IsBlank(p) || total > blankElements {
			return slices.Concat(parts...)
		}
	}
	return blankMemory.Load()[:total:total]
}
