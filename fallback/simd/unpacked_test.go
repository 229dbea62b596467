package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestRowsThatAreNotPackedGiveTheProductOfThoseThatAre(t *testing.T) {
	for _, table := range Available() {
		if table.MultiplyRows == nil {
			continue
		}
		for _, rows := range table.Heights {
			for _, columns := range table.Widths {
				for _, runs := range []Runs{{1, 1, 1, 0}, {1, 7, 9, 0}, {3, 9, 3, 40}, {2, 16, 0, 16}, {5, 4, 8, 100}} {
					t.Run(fmt.Sprintf("%s, %d×%d, %+v", table.Name, rows, columns, runs), func(t *testing.T) {
						r := rand.New(rand.NewPCG(uint64(rows), uint64(columns)))
						random := func(n int) []float32 {
							x := guarded[float32](t, n)
							for i := range x {
								x[i] = r.Float32() - 0.5
							}
							return x
						}
						depth, stride := runs.Depth(), columns+3
						a := random((rows-1)*runs.Step + (runs.Count-1)*runs.Apart + runs.Length)
						b, c, row := random(depth*table.Columns), random((rows-1)*stride+columns), random(columns)
						packed := make([]float32, rows*depth)
						for i := range rows {
							for k := range depth {
								packed[k*rows+i] = a[i*runs.Step+k/runs.Length*runs.Apart+k%runs.Length]
							}
						}
						for _, from := range [][]float32{nil, row} {
							got, want := guardedCopy(t, c), append([]float32(nil), c...)
							table.MultiplyRows(rows, columns, runs, a, b, got, stride, from)
							if from == nil {
								table.Multiply(rows, columns, depth, packed, b, want, stride)
							} else {
								table.MultiplyFrom(rows, columns, depth, packed, b, want, stride, append(append([]float32(nil), from...), make([]float32, table.Columns)...))
							}
							for i := range want {
								if math.Abs(float64(got[i]-want[i])) > 1e-6*float64(depth+8) {
									t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
								}
							}
						}
					})
				}
			}
		}
	}
}
