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
		weights := newIntegerWeights(columns, depth)
		weights.pack(&pool{threads: 1}, w, true, zero)
		flip, shift := leftFlip(weights.kernels, true)
		p := integerProduct{
			pool: &pool{threads: threads}, rows: rows, left: matrixLeft(rows, depth), flip: flip, w: weights,
			store: keptSums{got, columns, weights, zero + shift},
		}
		p.left.data = x
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

// keptSums keeps the sums of a product.
type keptSums struct {
	to      []int32
	columns int
	w       *integerWeights
	zero    int32
}

func (k keptSums) store(row, column, rows, columns int, sums []int32, stride int) {
	for i := range rows {
		for j := range columns {
			k.to[(row+i)*k.columns+column+j] = sums[i*stride+j] + k.w.columnTerm(column+j, k.zero)
		}
	}
}

func BenchmarkIntegerProduct(b *testing.B) {
	for _, size := range [][3]int{{1, 1536, 1536}, {256, 1536, 1536}, {1280, 1536, 1536}, {1280, 1536, 6144}, {1280, 6144, 1536}} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("%v/%d", size, threads), func(b *testing.B) {
				rows, depth, columns := size[0], size[1], size[2]
				weights := newIntegerWeights(columns, depth)
				weights.pack(&pool{threads: 1}, make([]byte, columns*depth), false, 0)
				flip, _ := leftFlip(weights.kernels, false)
				p := integerProduct{
					pool: &pool{threads: threads}, rows: rows, left: matrixLeft(rows, depth), flip: flip, w: weights,
					store: &requantizedRows{kernels: weights.kernels, q: (&requantizer{multipliers: []multiplier{{1 << 30, -9}}, upward: columns}).plan(columns), out: make([]byte, rows*columns), stride: columns},
				}
				p.left.data = make([]byte, rows*depth)
				for b.Loop() {
					p.run()
				}
				b.ReportMetric(2*float64(rows*columns*depth)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GOP/s")
			})
		}
	}
}
