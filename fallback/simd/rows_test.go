package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEveryTableSumsTapsExactly(t *testing.T) {
	for _, table := range Available() {
		for _, channels := range []int{16, 32, 80} {
			for _, pixels := range []int{1, 3, 4, 5, 9} {
				for _, unsigned := range []bool{false, true} {
					for _, f := range fillers {
						t.Run(fmt.Sprintf("%s, %d channels, %d pixels, unsigned %v, %s", table.Name, channels, pixels, unsigned, f.name), func(t *testing.T) {
							r := rand.New(rand.NewPCG(uint64(channels), uint64(pixels)))
							step := r.IntN(2 * channels)
							src := guarded[byte](t, (pixels-1)*step+7*channels+5)
							for i := range src {
								src[i] = byte(f.next(r))
							}
							taps := []int{6*channels + 5, 0, 3, channels, channels, 2*channels + 1, 4 * channels}[:1+r.IntN(7)]
							w := guarded[int32](t, len(taps)*channels)
							for i := range w {
								w[i] = int32(uint16(int16(f.next(r)) + int16(f.next(r))))
							}
							got, want := guarded[int32](t, pixels*channels), make([]int32, pixels*channels)
							table.Integer.Depthwise(got, src, step, taps, w, pixels, channels, unsigned)
							depthwiseGeneric(want, src, step, taps, w, pixels, channels, unsigned)
							if !slices.Equal(got, want) {
								t.Errorf("%v, want %v", got, want)
							}
						})
					}
				}
			}
		}
	}
}

func TestEveryTableScalesSumsAsTheGenericOne(t *testing.T) {
	for _, table := range Available() {
		for _, columns := range []int{1, 5, 8, 13, 16, 17, 40} {
			t.Run(fmt.Sprintf("%s, %d columns", table.Name, columns), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(columns), 2))
				s := NewScaler(columns)
				for i := range columns {
					bias := r.Float32()
					if i%3 == 0 {
						bias = float32(math.Copysign(0, -1))
					}
					s.Column(i, r.Int32(), r.Float32()*0.01, bias)
				}
				const rows = 3
				for round := range 20 {
					s.Last = round%2 == 1
					stride, sumStride := columns+round%3, (columns+15)/16*16
					sums := guarded[int32](t, rows*sumStride)
					for i := range sums {
						sums[i] = int32(r.Uint32()) >> r.IntN(24)
					}
					zeros, factors := []int32{0, r.Int32N(256) - 128, 128}, []float32{r.Float32(), r.Float32() * 100, 1e-30}
					got := guarded[float32](t, (rows-1)*stride+columns)
					want := make([]float32, len(got))
					table.Integer.Scale(got, stride, sums, sumStride, rows, columns, s, 0, zeros, factors)
					scaleGeneric(want, stride, sums, sumStride, rows, columns, s, 0, zeros, factors)
					for i := range want {
						if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
							t.Fatalf("round %d: element %d is %v, want %v", round, i, got[i], want[i])
						}
					}
				}
			})
		}
	}
}

func TestEveryTableQuantizesAsTheGenericOne(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	odd := []float32{0, float32(math.Copysign(0, -1)), 0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 0.49999997, -0.49999997, 126.5, -127.5, -128.5, 1e9, -1e9, inf, -inf, nan, 1e-40}
	for _, table := range Available() {
		for _, n := range []int{0, 1, 7, 8, 9, 16, 31, 32, 100} {
			t.Run(fmt.Sprintf("%s, %d elements", table.Name, n), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(n), 5))
				for round := range 50 {
					x := guarded[float32](t, n)
					for i := range x {
						x[i] = (r.Float32() - 0.5) * 600
						if round%2 == 0 && r.IntN(3) == 0 {
							x[i] = odd[r.IntN(len(odd))]
						}
					}
					low, high := table.Integer.Range(x)
					wantLow, wantHigh := rangeGeneric(x)
					if low != wantLow && !(low != low && wantLow != wantLow) || high != wantHigh && !(high != high && wantHigh != wantHigh) {
						t.Fatalf("the range of %v is %v to %v, want %v to %v", x, low, high, wantLow, wantHigh)
					}
					factor := []float32{1, 0.5, 3.7, inf}[r.IntN(4)]
					got, want := guarded[byte](t, n), make([]byte, n)
					for _, even := range []bool{false, true} {
						table.Integer.Quantize(got, x, factor, 3, -127, 127, even)
						quantizeGeneric(want, x, factor, 3, -127, 127, even)
						for i := range want {
							if got[i] != want[i] {
								t.Fatalf("%v · %v, even %v, is %d, want %d", x[i], factor, even, got[i], want[i])
							}
						}
					}
				}
			})
		}
	}
}

func TestEveryTableAddsAndMultipliesBytesAsTheGenericOne(t *testing.T) {
	for _, table := range Available() {
		for _, n := range []int{0, 1, 8, 15, 16, 33, 70} {
			for _, unsigned := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d elements, unsigned %v", table.Name, n, unsigned), func(t *testing.T) {
					r := rand.New(rand.NewPCG(uint64(n), 8))
					for range 50 {
						a, b := guarded[byte](t, n), guarded[byte](t, n)
						for i := range a {
							a[i], b[i] = byte(r.IntN(256)), byte(r.IntN(256))
						}
						rule := func() Scaling {
							return Scaling{r.Int32N(256) - 128, r.Int32N(21), 1<<30 + r.Int32N(1<<30), r.Int32N(32)}
						}
						rules, zeros := &[2]Scaling{rule(), rule()}, &[2]int32{r.Int32N(256) - 128, r.Int32N(256)}
						got, want := guarded[int32](t, n), make([]int32, n)
						table.Integer.Sum(got, a, b, rules, unsigned)
						if addBytesGeneric(want, a, b, rules, unsigned); !slices.Equal(got, want) {
							t.Fatalf("sums are %v, want %v", got, want)
						}
						largest, wantLargest := slices.Clone(a), slices.Clone(a)
						table.Integer.Largest(largest, b, unsigned)
						if largestGeneric(wantLargest, b, unsigned); !slices.Equal(largest, wantLargest) {
							t.Fatalf("the largest are %v, want %v", largest, wantLargest)
						}
						table.Integer.Product(got, a, b, zeros, unsigned)
						if multiplyBytesGeneric(want, a, b, zeros, unsigned); !slices.Equal(got, want) {
							t.Fatalf("products are %v, want %v", got, want)
						}
					}
				})
			}
		}
	}
}
