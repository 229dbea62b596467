package fallback

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestIntegerProductIsExact(t *testing.T) {
	for _, size := range []struct{ rows, columns, depth int }{
		{1, 1, 1}, {1, 37, 5}, {1, 300, 129}, {2, 3, 1}, {7, 17, 255}, {5, 33, 256}, {6, 16, 257}, {13, 40, 700}, {130, 70, 31}, {3, 2, 2000},
	} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(size.depth)))
			checkProduct(t, size.rows, size.columns, size.depth, 128, func() uint8 { return uint8(r.IntN(256)) })
			// All products at their largest, of one sign: 255·255.
			checkProduct(t, size.rows, size.columns, size.depth, 0, func() uint8 { return 255 })
			checkProduct(t, size.rows, size.columns, size.depth, 255, func() uint8 { return 0 })
		})
	}
}

// checkProduct compares the product of matrices of next() with zero points zero
// with the sums written out.
func checkProduct(t *testing.T, rows, columns, depth int, zero int32, next func() uint8) {
	t.Helper()
	x, w := make([]uint8, rows*depth), make([]uint8, columns*depth)
	for i := range x {
		x[i] = next()
	}
	for i := range w {
		w[i] = next()
	}
	for _, threads := range []int{1, 3} {
		got := make([]int32, rows*columns)
		p := integerProduct[uint8]{
			pool: &pool{threads: threads}, rows: rows, columns: columns, depth: depth,
			row: integerRows(x, depth, zero), w: w, zero: zero,
			finish: func(row, column int, sums []int32) { copy(got[row*columns+column:], sums) },
		}
		p.run()
		for i := range rows {
			for j := range columns {
				want := int32(0)
				for k := range depth {
					want += (int32(x[i*depth+k]) - zero) * (int32(w[j*depth+k]) - zero)
				}
				if got[i*columns+j] != want {
					t.Fatalf("%d threads: element (%d, %d) is %d, want %d", threads, i, j, got[i*columns+j], want)
				}
			}
		}
	}
}

func BenchmarkIntegerProduct(b *testing.B) {
	for _, rows := range []int{1, 196} {
		b.Run(fmt.Sprint(rows, " rows"), func(b *testing.B) {
			const columns, depth = 256, 1152
			x, w := make([]int8, rows*depth), make([]int8, columns*depth)
			p := integerProduct[int8]{
				pool: &pool{threads: 1}, rows: rows, columns: columns, depth: depth,
				row: integerRows(x, depth, 3), w: w, finish: func(int, int, []int32) {},
			}
			for b.Loop() {
				p.run()
			}
			b.ReportMetric(float64(rows*columns*depth)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gmul/s")
		})
	}
}
