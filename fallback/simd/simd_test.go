package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestEveryTableMultipliesTilesAsTheDefinitionSays(t *testing.T) {
	for _, table := range Available() {
		for _, depth := range []int{1, 2, 3, 4, 5, 7, 8, 63, 384} {
			for _, extra := range []int{0, 1, 17} {
				for _, rows := range table.Heights {
					for _, columns := range table.Widths {
						t.Run(fmt.Sprintf("%s, %d×%d, depth %d, stride +%d", table.Name, rows, columns, depth, extra), func(t *testing.T) {
							testTile(t, table, rows, columns, depth, columns+extra)
						})
					}
				}
			}
		}
	}
}

func testTile(t *testing.T, table *Table, rows, columns, depth, stride int) {
	r := rand.New(rand.NewPCG(uint64(depth), uint64(stride)))
	// One element before and behind each slice stands guard.
	random := func(n int) []float32 {
		s := make([]float32, n+2)
		for i := range s {
			s[i] = r.Float32()*2 - 1
		}
		return s
	}
	a, b := random(rows*depth), random(table.Columns*depth)
	c := random((rows-1)*stride + columns)
	want := append([]float32(nil), c...)
	for i := range rows {
		for j := range columns {
			sum := 0.0
			for k := range depth {
				sum += float64(a[1+k*rows+i]) * float64(b[1+k*table.Columns+j])
			}
			want[1+i*stride+j] += float32(sum)
		}
	}
	started := append([]float32(nil), c...)
	table.Multiply(rows, columns, depth, a[1:len(a)-1], b[1:len(b)-1], c[1:len(c)-1], stride)
	inTile := func(i int) bool { return i >= 1 && i < len(c)-1 && (i-1)%stride < columns }
	for i := range c {
		if inTile(i) && math.Abs(float64(c[i]-want[i])) > 1e-6*float64(depth+8) || !inTile(i) && c[i] != want[i] {
			t.Fatalf("element %d is %v, want %v", i-1, c[i], want[i])
		}
	}

	// From a row: as if each row of the tile had been that one.
	row := random(columns)[1:][:columns]
	again := append([]float32(nil), started...)
	for i := range rows {
		copy(again[1+i*stride:], row)
	}
	table.Multiply(rows, columns, depth, a[1:len(a)-1], b[1:len(b)-1], again[1:len(c)-1], stride)
	table.MultiplyFrom(rows, columns, depth, a[1:len(a)-1], b[1:len(b)-1], started[1:len(c)-1], stride, row)
	for i := range started {
		if math.Abs(float64(started[i]-again[i])) > 1e-6*float64(depth+8) {
			t.Fatalf("from a row: element %d is %v, want %v", i-1, started[i], again[i])
		}
	}
}

func TestEveryTablePacksRows(t *testing.T) {
	for _, table := range Available() {
		for _, height := range []int{table.Rows, table.Columns, 4, 5} {
			for _, depth := range []int{0, 1, 3, 4, 7, 8, 9, 16, 31, 64} {
				for rows := range height + 1 {
					stride := depth + rows%3
					src := make([]float32, max(0, rows-1)*stride+depth)
					for i := range src {
						src[i] = float32(i + 1)
					}
					src = guardedCopy(t, src)
					dst := guardedCopy(t, make([]float32, height*depth))
					for i := range dst {
						dst[i] = -1
					}
					table.PackRows(dst, src, rows, height, depth, stride)
					for k := range depth {
						for i := range height {
							want := float32(-1) // as it was
							if i < rows {
								want = src[i*stride+k]
							}
							if got := dst[k*height+i]; got != want {
								t.Fatalf("%s: %d of %d rows, depth %d: element %d of row %d is %v, want %v", table.Name, rows, height, depth, k, i, got, want)
							}
						}
					}
				}
			}
		}
	}
}

func TestTheChosenTableIsAvailable(t *testing.T) {
	for _, table := range Available() {
		if table == Active() {
			return
		}
	}
	t.Fatalf("active table %q is not in the list", Active().Name)
}

func BenchmarkMultiply(b *testing.B) {
	const depth = 256
	for _, table := range Available() {
		b.Run(table.Name, func(b *testing.B) {
			x, y := make([]float32, table.Rows*depth), make([]float32, table.Columns*depth)
			c := make([]float32, table.Rows*table.Columns)
			for b.Loop() {
				table.Multiply(table.Rows, table.Columns, depth, x, y, c, table.Columns)
			}
			flops := 2 * float64(depth*table.Rows*table.Columns) * float64(b.N)
			b.ReportMetric(flops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
