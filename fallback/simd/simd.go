// Package simd holds the inner loops of the Go kernels: one table of functions
// for each level of CPU features, chosen once at start. Every table computes
// what the generic one computes, up to the rounding of sums.
//
// NANOFLUX_SIMD (generic, avx2, avx512, avx512vnni, amx, neon, neon-dotprod,
// neon-i8mm) overrides the choice, for tests and bug reports; a level that this
// CPU or build lacks is not used, see Problem.
package simd

//go:generate go run ./genasm

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// variable is the environment's word on the level.
const variable = "NANOFLUX_SIMD"

// Table is the set of inner loops for one level of CPU features.
type Table struct {
	// Name of the level: "generic", "avx2", "avx512", "avx512vnni", "amx",
	// "neon", "neon-dotprod", "neon-i8mm".
	Name string

	// Rows and Columns are the size of the largest tile that Multiply computes.
	// Smaller ones have one of the Heights and Widths, which rise up to these.
	Rows, Columns   int
	Heights, Widths []int

	// Depth is how deep panels should be, and Tiles how many tiles of rows should
	// be packed at once: they then stay in a second-level cache.
	Depth, Tiles int

	// Multiply adds the product of two packed panels to a tile:
	//
	//	c[i·stride + j] += Σ a[k·rows + i] · b[k·Columns + j],  0 ≤ k < depth
	//
	// for i < rows, one of the Heights, and j < columns, one of the Widths. All
	// slices must be long enough. Sums are in the order of k, whatever the tile's
	// size is; c comes first or last.
	Multiply func(rows, columns, depth int, a, b, c []float32, stride int)

	// MultiplyFrom is Multiply into a tile whose rows are row [columns], whatever
	// they were before: the bias, or zeros.
	MultiplyFrom func(rows, columns, depth int, a, b, c []float32, stride int, row []float32)

	// MultiplyRows is Multiply of rows that are not packed, and MultiplyFrom
	// where row is not nil; it is nil where the processor has neither.
	MultiplyRows func(rows, columns int, runs Runs, a, b, c []float32, stride int, row []float32)

	// PackRows writes rows of depth elements, stride apart in src, into a panel
	// [depth][height] for Multiply, rows ≤ height: element k of row i becomes
	// dst[k·height + i]. Other elements stay.
	PackRows func(dst, src []float32, rows, height, depth, stride int)

	// Transpose writes the matrix src [rows][columns] as dst [columns][rows]; the
	// strides are the distances of rows and of columns, in elements.
	Transpose func(dst, src []float32, rows, columns, dstStride, srcStride int)

	// Depthwise computes neighbouring pixels of a depthwise convolution.
	Depthwise func(w DepthwiseWindow)

	// Vector has the loops on slices of float32.
	Vector

	// Integer has the loops on 8-bit integers.
	Integer Integer
}

var active = sync.OnceValue(func() *Table {
	tables := Available()
	for _, t := range tables {
		if t.Name == os.Getenv(variable) {
			return t
		}
	}
	return tables[len(tables)-1]
})

// Height is that of the smallest tile for so many rows, Width for so many
// columns.
func (t *Table) Height(rows int) int   { return atLeast(t.Heights, rows) }
func (t *Table) Width(columns int) int { return atLeast(t.Widths, columns) }

// atLeast is the smallest size that suffices, or the largest there is.
func atLeast(sizes []int, n int) int {
	for _, s := range sizes {
		if s >= n {
			return s
		}
	}
	return sizes[len(sizes)-1]
}

// Active is the table in use.
func Active() *Table { return active() }

var available = sync.OnceValue(func() []*Table { return append([]*Table{&generic}, native()...) })

// Problem is an error when the environment names a level that cannot be used.
func Problem() error {
	want := os.Getenv(variable)
	var names []string
	for _, t := range Available() {
		names = append(names, t.Name)
	}
	if want == "" || Active().Name == want {
		return nil
	}
	return fmt.Errorf("%s=%s is no level of this processor and build, %s is used; there are %s", variable, want, Active().Name, strings.Join(names, ", "))
}

// Available lists the tables that this CPU can run, generic first, fastest last.
func Available() []*Table { return available() }
