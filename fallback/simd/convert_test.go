package simd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sameBits reports whether two results are the same, or both NaN.
func sameBits(x, y float32) bool {
	return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
}

func TestEveryTableConvertsEveryFloat16AsTheGenericOne(t *testing.T) {
	all := make([]uint16, 1<<16)
	for i := range all {
		all[i] = uint16(i)
	}
	want := make([]float32, len(all))
	generic.FromFloat16(want, all)
	for _, table := range Available() {
		got, back := make([]float32, len(all)), make([]uint16, len(all))
		table.FromFloat16(got, all)
		table.ToFloat16(back, got)
		for i := range got {
			if !sameBits(got[i], want[i]) {
				t.Fatalf("%s: %#04x is %v, want %v", table.Name, i, got[i], want[i])
			}
			if back[i] != all[i] && got[i] == got[i] {
				t.Fatalf("%s: %v becomes %#04x, want %#04x", table.Name, got[i], back[i], i)
			}
		}
	}
}

func TestEveryTableRoundsToFloat16AsTheGenericOne(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(11, 11))
		for _, n := range vectorLengths {
			a := guardedCopy(t, numbers(r, n))
			for i := range a {
				if i%3 == 0 { // half-way between two neighbours, or nearly
					a[i] = math.Float32frombits(r.Uint32()&^0xFFF | 0x1000 + uint32(r.IntN(3)) - 1)
				}
			}
			got, want := guarded[uint16](t, n), make([]uint16, n)
			table.ToFloat16(got, a)
			generic.ToFloat16(want, a)
			back := guarded[float32](t, n)
			table.FromFloat16(back, got)
			for i := range got {
				if got[i] != want[i] && a[i] == a[i] {
					t.Fatalf("%s, length %d: %v becomes %#04x, want %#04x", table.Name, n, a[i], got[i], want[i])
				}
				if (back[i] == back[i]) != (a[i] == a[i]) {
					t.Fatalf("%s, length %d: %v comes back as %v", table.Name, n, a[i], back[i])
				}
			}
		}
	}
}

func TestEveryTableConvertsBytesAsTheGenericOne(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(12, 12))
		for _, n := range vectorLengths {
			signed, unsigned := guarded[int8](t, n), guarded[uint8](t, n)
			for i := range signed {
				signed[i], unsigned[i] = int8(r.IntN(256)), uint8(r.IntN(256))
			}
			zero, scale := float32(r.IntN(256)-128), r.Float32()
			got, want := guarded[float32](t, n), make([]float32, n)
			check := func(kind string) {
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s, %s, length %d: element %d is %v, want %v", table.Name, kind, n, i, got[i], want[i])
					}
				}
			}
			table.FromInt8(got, signed, zero, scale)
			generic.FromInt8(want, signed, zero, scale)
			check("int8")
			table.FromUint8(got, unsigned, zero, scale)
			generic.FromUint8(want, unsigned, zero, scale)
			check("uint8")
		}
	}
}

func TestEveryTableScalesColumnsOfBytes(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(13, 13))
		c := table.Columns
		for rows := range 6 {
			a, got, scales := guarded[int8](t, rows*c), guarded[float32](t, rows*c), guardedCopy(t, numbers(r, c))
			for i := range a {
				a[i] = int8(r.IntN(256))
			}
			zero := float32(r.IntN(256) - 128)
			for name, f := range map[string]struct {
				of      func(out []float32, a []int8, b []float32, s float32)
				integer func(x int8) int
			}{
				"8 bits":       {table.FromInt8OfColumns, func(x int8) int { return int(x) }},
				"lower 4 bits": {table.FromLowerInt4OfColumns, func(x int8) int { return (int(x)&15 ^ 8) - 8 }},
				"upper 4 bits": {table.FromUpperInt4OfColumns, func(x int8) int { return (int(x)>>4&15 ^ 8) - 8 }},
			} {
				f.of(got, a, scales, zero)
				for i := range got {
					if want := (float32(f.integer(a[i])) - zero) * scales[i%c]; !sameBits(got[i], want) {
						t.Fatalf("%s, %s: row %d, column %d is %v, want %v", table.Name, name, i/c, i%c, got[i], want)
					}
				}
			}
		}
	}
}
