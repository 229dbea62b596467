package pipeline

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"testing"
)

// hashOf is the SHA-256 of values as little-endian float32.
func hashOf(values []float32) string {
	h := sha256.New()
	var b [4]byte
	for _, v := range values {
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(v))
		h.Write(b[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// reference is docs/noise.md written a second time, with a big.Int generator
// and nothing shared with noise.go but the specification.
func reference(n int, seed uint64) []float32 {
	word := func(s string) *big.Int {
		v, ok := new(big.Int).SetString(s, 16)
		if !ok {
			panic(s)
		}
		return v
	}
	mask64, mask128 := word("ffffffffffffffff"), word("ffffffffffffffffffffffffffffffff")
	mul, inc := word("2360ed051fc65da44385df649fccf645"), word("5851f42d4c957f2d14057b7ef767814f")
	state := new(big.Int).SetUint64(seed)
	state.Lsh(state, 64).Or(state, word("6e616e6f666c7578"))
	draw := func() uint64 {
		state.Mul(state, mul).Add(state, inc).And(state, mask128)
		hi := new(big.Int).Rsh(state, 64)
		lo := new(big.Int).And(state, mask64)
		hi.Xor(hi, new(big.Int).Rsh(hi, 32))
		hi.Mul(hi, word("da942042e4dd58b5")).And(hi, mask64)
		hi.Xor(hi, new(big.Int).Rsh(hi, 48))
		hi.Mul(hi, lo.Or(lo, big.NewInt(1))).And(hi, mask64)
		return hi.Uint64()
	}
	var out []float32
	for len(out) < n {
		x := float64(2*(float64(draw()>>11)/(1<<53))) - 1
		y := float64(2*(float64(draw()>>11)/(1<<53))) - 1
		s := float64(x*x) + float64(y*y)
		if s >= 1 || s == 0 {
			continue
		}
		m, e := math.Frexp(s) // m in [0.5, 1)
		m, e = m*2, e-1
		if m > math.Sqrt2 {
			m, e = m/2, e+1
		}
		r := (m - 1) / (m + 1)
		z := float64(r * r)
		t := 0.0
		for _, d := range []float64{21, 19, 17, 15, 13, 11, 9, 7, 5, 3} {
			t = float64((t + 1/d) * z)
		}
		ln := float64(float64(e)*math.Ln2) + (2*r + float64(2*r*t))
		f := math.Sqrt(-2 * ln / s)
		out = append(out, float32(x*f), float32(y*f))
	}
	return out[:n]
}

func TestNoiseIsWhatTheDocumentSays(t *testing.T) {
	for _, seed := range []uint64{0, 1, 42, math.MaxUint64} {
		got, want := make([]float32, 1001), reference(1001, seed)
		Noise(got, seed)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("seed %d, value %d: %v, the specification gives %v", seed, i, got[i], want[i])
			}
		}
	}
}

// The hashes are part of docs/noise.md. When one changes, every picture of
// every seed changes: that is a new generator, not a new hash.
func TestNoiseHasTheSameBitsOnEveryPlatform(t *testing.T) {
	for _, c := range []struct {
		seed   uint64
		values int
		hash   string
	}{
		{0, 4096, "ba2c8a77a205427061b72b98c4ea4660c326cf6e20513874e628099439f56540"},
		{1, 4096, "3f6dbd1803fe86cfde517e57643683cd77963ba3dce9ac6a20db82f8c358844a"},
		{42, 4096, "270717d10873e83902a9633b289cca3a36da91ab4f117e2acb5827e637d93e4b"},
		{42, 65536, "ed67af0db2814a160206e31f27e484292c77baa7c7cea0700ac6eea9eb25760f"},
		{math.MaxUint64, 4096, "c8ac0dc8e1c0e98c9e2510a333d1f9c7d7bf9673e997a6818057166a6429e874"},
	} {
		v := make([]float32, c.values)
		Noise(v, c.seed)
		if got := hashOf(v); got != c.hash {
			t.Errorf("seed %d, %d values: hash %s, want %s", c.seed, c.values, got, c.hash)
		}
	}
}

func TestLongerNoiseStartsWithTheShorter(t *testing.T) {
	a, b := make([]float32, 33), make([]float32, 1000)
	Noise(a, 7)
	Noise(b, 7)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("value %d is %v in 33 values and %v in 1000", i, a[i], b[i])
		}
	}
}

// A standard normal sample of n values has mean 0 ± 1/√n, variance 1 ± √(2/n),
// third moment 0 ± √(15/n), fourth 3 ± √(96/n), and a share p beyond a bound
// ± √(p(1−p)/n). Five standard deviations pass by chance except once in a
// million runs, and the seed is fixed.
func TestNoiseIsNormal(t *testing.T) {
	const n = 1 << 20
	v := make([]float32, n)
	Noise(v, 2024)
	var m1, m2, m3, m4 float64
	tails := map[float64]int{1: 0, 2: 0, 3: 0, 4: 0}
	for _, x32 := range v {
		x := float64(x32)
		m1, m2, m3, m4 = m1+x, m2+x*x, m3+x*x*x, m4+x*x*x*x
		for b := range tails {
			if math.Abs(x) > b {
				tails[b]++
			}
		}
	}
	near := func(what string, got, want, sigma float64) {
		if math.Abs(got-want) > 5*sigma {
			t.Errorf("%s is %g, want %g ± %g", what, got, want, 5*sigma)
		}
	}
	near("mean", m1/n, 0, math.Sqrt(1.0/n))
	near("second moment", m2/n, 1, math.Sqrt(2.0/n))
	near("third moment", m3/n, 0, math.Sqrt(15.0/n))
	near("fourth moment", m4/n, 3, math.Sqrt(96.0/n))
	for b, count := range tails {
		p := math.Erfc(b / math.Sqrt2)
		near("share beyond "+string(rune('0'+int(b)))+" sigma", float64(count)/n, p, math.Sqrt(p*(1-p)/n))
	}
}

func TestNoiseOfNeighbouringValuesAndSeedsIsIndependent(t *testing.T) {
	const n = 4096
	// A correlation of independent samples is 0 ± 1/√n.
	check := func(what string, seed uint64, a, b []float32) {
		var sum float64
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		if c := sum / float64(len(a)); math.Abs(c) > 5/math.Sqrt(float64(len(a))) {
			t.Errorf("seed %d and %s correlate: %g", seed, what, c)
		}
	}
	var previous []float32
	for seed := range uint64(200) {
		v := make([]float32, n)
		Noise(v, seed)
		check("the value after", seed, v[:n-1], v[1:])
		check("the value two after", seed, v[:n-2], v[2:])
		if previous != nil {
			check("the seed before", seed, previous, v)
		}
		previous = v
	}
	// Also across seeds at one place: the first values of many seeds.
	firsts := make([]float32, n)
	for seed := range firsts {
		Noise(firsts[seed:seed+1], uint64(seed))
	}
	check("the next seed's first value", 0, firsts[:n-1], firsts[1:])
	var mean, square float64
	for _, x := range firsts {
		mean, square = mean+float64(x)/n, square+float64(x)*float64(x)/n
	}
	if math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(square-1) > 5*math.Sqrt(2.0/n) {
		t.Errorf("first values of %d seeds: mean %g, mean square %g", n, mean, square)
	}
}

func TestExactFunctionsAgreeWithTheRealOnes(t *testing.T) {
	ulps := func(a, b float64) float64 {
		return math.Abs(a-b) / (math.Nextafter(math.Abs(b), math.Inf(1)) - math.Abs(b))
	}
	worst := 0.0
	for i := range 200000 {
		x := float64(i+1) / 100000 // through 1, where the logarithm changes sign
		for _, x := range []float64{x, x * 0x1p-60, x * 0x1p40} {
			if x == 1 {
				if exactLog(x) != 0 {
					t.Fatalf("log 1 = %g", exactLog(x))
				}
				continue
			}
			worst = max(worst, ulps(exactLog(x), math.Log(x)))
		}
	}
	if worst > 4 {
		t.Errorf("exactLog differs from math.Log by %.1f units in the last place", worst)
	}
	for i := -1600; i <= 1600; i++ {
		x := float64(i) / 100
		if r := exactExp(x)/math.Exp(x) - 1; math.Abs(r) > 1e-14 {
			t.Errorf("exactExp(%g) is off by %g", x, r)
		}
	}
}
