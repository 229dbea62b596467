package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// filler gives bytes: random ones, or extremes.
var fillers = []struct {
	name string
	next func(r *rand.Rand) int8
}{
	{"random", func(r *rand.Rand) int8 { return int8(r.IntN(256)) }},
	{"-128 only", func(*rand.Rand) int8 { return -128 }},
	{"127 only", func(*rand.Rand) int8 { return 127 }},
	{"-128 and 127", func(r *rand.Rand) int8 { return int8(127 + r.IntN(2)) }},
}

// named are loops on integers.
type named struct {
	Name    string
	Integer Integer
}

// integers are the loops of all tables.
func integers() []named {
	var list []named
	for _, t := range Available() {
		if t.Integer.Deep != nil {
			list = append(list, named{t.Name, *t.Integer.Deep})
			continue
		}
		list = append(list, named{t.Name, t.Integer})
	}
	return list
}

func TestEveryTableMultipliesIntegersExactly(t *testing.T) {
	for _, table := range integers() {
		for _, depth := range []int{1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 64, 100, 1024} {
			for _, f := range fillers {
				t.Run(fmt.Sprintf("%s, depth %d, %s", table.Name, depth, f.name), func(t *testing.T) {
					r := rand.New(rand.NewPCG(uint64(depth), 1))
					for _, rows := range table.Integer.Heights {
						for _, columns := range []int{1, table.Integer.Columns / 2, table.Integer.Columns/2 + 1, table.Integer.Columns} {
							for _, more := range []bool{false, true} {
								checkIntegers(t, &table.Integer, rows, columns, depth, more, func() int8 { return f.next(r) })
							}
						}
					}
				})
			}
		}
	}
}

func checkIntegers(t *testing.T, k *Integer, rows, columns, depth int, more bool, next func() int8) {
	t.Helper()
	x, w := guarded[byte](t, rows*depth), guarded[int8](t, columns*depth)
	for i := range x {
		x[i] = byte(next())
	}
	for i := range w {
		w[i] = next()
	}
	flip := byte(0)
	if k.Unsigned {
		flip = 0x80
	}
	whole := depth / k.Group * k.Group
	left := guarded[byte](t, k.LeftBytes(rows, depth))
	offsets := make([]int, rows)
	for i := range offsets {
		offsets[i] = i * depth
	}
	if whole > 0 {
		k.PackRows(left, x, offsets, []int{0}, whole, flip)
	}
	if rest := depth - whole; rest > 0 {
		// As the product does: what is left over is filled up with anything.
		last := make([]byte, rows*k.Group)
		for i := range offsets {
			copy(last[i*k.Group:], x[offsets[i]+whole:][:rest])
			offsets[i] = i * k.Group
		}
		k.PackRows(left[k.LeftBytes(rows, whole):], last, offsets, []int{0}, k.Group, flip)
	}
	right := guarded[int8](t, k.Groups(depth)*k.Group*k.Columns)
	columnSums := make([]int32, columns)
	k.PackColumns(right, w, depth, columns, depth, 0, columnSums)
	sums := guarded[int32](t, rows*k.Columns)
	for i := range sums {
		sums[i] = int32(i) - 7
	}
	k.Multiply(k.Groups(depth), rows, columns, left, right, sums, more)
	for i := range rows {
		for j := range columns {
			want := int32(0)
			if more {
				want = int32(i*k.Columns+j) - 7
			}
			for c := range depth {
				want += int32(int8(x[i*depth+c])) * int32(w[j*depth+c])
			}
			if k.Unsigned {
				want += 128 * columnSums[j]
			}
			if got := sums[i*k.Columns+j]; got != want {
				t.Fatalf("%d rows, %d columns, more %v: element (%d, %d) is %d, want %d", rows, columns, more, i, j, got, want)
			}
		}
	}
}

func TestEveryTablePacksRowsAsTheDefinitionSays(t *testing.T) {
	for _, table := range integers() {
		k := &table.Integer
		for _, rows := range k.Heights {
			for _, n := range []int{k.Group, 3 * k.Group, 8 * k.Group, 17 * k.Group, 64} {
				r := rand.New(rand.NewPCG(uint64(n), 3))
				src := guarded[byte](t, 5*n+rows+8)
				for i := range src {
					src[i] = byte(r.IntN(256))
				}
				pieces := []int{0, n + 3, 2 * n, 2}[:1+n%4]
				offsets := make([]int, rows)
				for i := range offsets {
					offsets[i] = r.IntN(len(src) - 3*n - 3)
				}
				offsets[rows-1] = len(src) - n - slices.Max(pieces)
				dst := guarded[byte](t, k.LeftBytes(rows, n)*len(pieces))
				k.PackRows(dst, src, offsets, pieces, n, 0x80)
				for i, o := range offsets {
					for c := range n * len(pieces) {
						at := (c/k.Group*rows+i)*k.Group + c%k.Group
						want := src[o+pieces[c/n]+c%n] ^ 0x80
						if k.Wide && (dst[2*at] != want || dst[2*at+1] != byte(int8(want)>>7)) || !k.Wide && dst[at] != want {
							t.Fatalf("%s, %d rows, %d elements: (%d, %d) is wrong", table.Name, rows, n, i, c)
						}
					}
				}
			}
		}
	}
}

func TestEveryTableRequantizesAsTheGenericOne(t *testing.T) {
	extreme := []int32{-1 << 31, -1<<31 + 1, 1<<31 - 1, 0, 1, -1, 1 << 30, -1 << 30, 3 << 29, 1<<30 - 1, 127, -128, 2, -2, 3, -3}
	for _, table := range Available() {
		for _, columns := range []int{1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 40} {
			t.Run(fmt.Sprintf("%s, %d columns", table.Name, columns), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(columns), 9))
				for round := range 40 {
					q := NewRequantizer(columns)
					for j := range columns {
						shift := r.IntN(62) - 31
						if round%2 == 0 {
							shift = r.IntN(12) - 10
						}
						if round%4 == 0 {
							shift = -r.IntN(20)
						}
						q.Column(j, 1<<30+r.Int32N(1<<30), shift, round%4 > 0 && r.IntN(2) == 0)
						if r.IntN(8) == 0 {
							q.Column(j, 0, 0, false)
						}
						q.Bias()[j] = r.Int32N(2000) - 1000
					}
					q.Zero, q.Low, q.High = r.Int32N(256)-128, -128, 127
					if round%3 == 0 {
						q.Zero, q.Low, q.High = r.Int32N(256), 3, 255
					}
					from := 0
					if columns > 20 {
						from = 4 * r.IntN(3)
					}
					const rows = 3
					n := columns - from
					sumStride := (n+15)/16*16 + 4*(round%2)
					stride := n + round%5
					sums := guarded[int32](t, (rows-1)*sumStride+(n+15)/16*16)
					for i := range sums {
						switch sums[i] = r.Int32N(1<<20) - 1<<19; r.IntN(6) {
						case 0:
							sums[i] = extreme[r.IntN(len(extreme))]
						case 1:
							sums[i] = int32(r.Uint32())
						}
					}
					got, want := guarded[byte](t, (rows-1)*stride+n), make([]byte, (rows-1)*stride+n)
					for i := range got {
						got[i], want[i] = 0xA5, 0xA5
					}
					table.Integer.Requantize(got, stride, sums, sumStride, rows, n, q, from)
					requantizeGeneric(want, stride, sums, sumStride, rows, n, q, from)
					for i := range want {
						if got[i] != want[i] {
							t.Fatalf("round %d: byte %d (row %d, column %d) is %d, want %d", round, i, i/stride, i%stride, got[i], want[i])
						}
					}
				}
			})
		}
	}
}

func BenchmarkIntegerTile(b *testing.B) {
	const depth = 768
	for _, table := range integers() {
		k := &table.Integer
		for _, rows := range k.Heights {
			b.Run(fmt.Sprintf("%s/%d", table.Name, rows), func(b *testing.B) {
				left, right := make([]byte, k.LeftBytes(rows, depth)), make([]int8, depth*k.Columns)
				sums := make([]int32, rows*k.Columns)
				for b.Loop() {
					k.Multiply(k.Groups(depth), rows, k.Columns, left, right, sums, false)
				}
				ops := 2 * float64(depth*rows*k.Columns) * float64(b.N)
				b.ReportMetric(ops/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}

func BenchmarkIntegerRequantize(b *testing.B) {
	const rows, columns = 12, 32
	for _, table := range Available() {
		b.Run(table.Name, func(b *testing.B) {
			q := NewRequantizer(columns)
			sums, dst := make([]int32, rows*columns), make([]byte, rows*columns)
			for b.Loop() {
				table.Integer.Requantize(dst, columns, sums, columns, rows, columns, q, 0)
			}
			b.ReportMetric(float64(rows*columns)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelements/s")
		})
	}
}
