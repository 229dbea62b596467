package simd

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestEveryTableChoosesBitsByBytes(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(5, 5))
		for _, n := range vectorLengths {
			chosen := guarded[uint8](t, n)
			b, out := guarded[float32](t, n), guarded[float32](t, n)
			for i := range out {
				chosen[i] = []uint8{0, 0, 1, 255}[r.IntN(4)]
				b[i], out[i] = math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
			}
			s := math.Float32frombits(0x7FA00001) // a signalling NaN keeps its bits, too
			scalar := guardedCopy(t, out)
			before := append([]float32(nil), out...)
			table.Choose(out, chosen, b)
			table.ChooseScalar(scalar, chosen, s)
			for i := range out {
				want, wantScalar := before[i], before[i]
				if chosen[i] != 0 {
					want, wantScalar = b[i], s
				}
				if math.Float32bits(out[i]) != math.Float32bits(want) || math.Float32bits(scalar[i]) != math.Float32bits(wantScalar) {
					t.Fatalf("%s, length %d: element %d is %08x and %08x", table.Name, n, i, math.Float32bits(out[i]), math.Float32bits(scalar[i]))
				}
			}
		}
	}
}
