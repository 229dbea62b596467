package simd

import (
	"fmt"
	"testing"
)

func TestEveryTableTransposesMatrices(t *testing.T) {
	for _, table := range Available() {
		for _, rows := range []int{0, 1, 3, 4, 5, 8, 17, 64} {
			for _, columns := range []int{0, 1, 3, 4, 7, 8, 9, 63, 64, 65, 130} {
				t.Run(fmt.Sprintf("%s, %d×%d", table.Name, rows, columns), func(t *testing.T) {
					for _, more := range []int{0, 3} {
						srcStride, dstStride := columns+more, rows+more
						src := guarded[float32](t, max(0, (rows-1)*srcStride+columns))
						for i := range src {
							src[i] = float32(i + 1)
						}
						dst := guarded[float32](t, max(0, (columns-1)*dstStride+rows))
						table.Transpose(dst, src, rows, columns, dstStride, srcStride)
						for i := range dst {
							want := float32(0)
							if r, c := i%dstStride, i/dstStride; r < rows && columns > 0 {
								want = src[r*srcStride+c]
							}
							if dst[i] != want {
								t.Fatalf("element %d is %v, want %v", i, dst[i], want)
							}
						}
					}
				})
			}
		}
	}
}

func TestMatricesOutsideTheirSlicesAreRefused(t *testing.T) {
	for _, table := range Available() {
		for _, c := range [][4]int{{4, 8, 3, 8}, {4, 8, 4, 7}, {4, 9, 4, 9}, {5, 8, 5, 8}, {-1, 8, 4, 8}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: %v is accepted", table.Name, c)
					}
				}()
				table.Transpose(make([]float32, 32), make([]float32, 32), c[0], c[1], c[2], c[3])
			}()
		}
	}
}
