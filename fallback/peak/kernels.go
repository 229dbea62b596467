package peak

import (
	"fmt"

	"nanoflux/fallback/simd"
)

// Kernel is the rate of one inner loop on one thread, on data in the caches.
type Kernel struct {
	Name string  `json:"name"`
	Rate float64 `json:"rate"`
	// Unit is "GFLOP/s", "GOP/s", or "Gelements/s".
	Unit string `json:"unit"`
}

// Kernels measures the inner loops of the Go kernels, in about a fifth of a
// second each.
func Kernels() []Kernel {
	t := simd.Active()
	const n = 4096
	x, y, out := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i%17)/4-2, float32(i%13)/3-2
	}
	list := []Kernel{
		{fmt.Sprintf("matrix product float32, tile %d×%d", t.Rows, t.Columns), rate(1, func() (func(), float64) { return floats(t) }), "GFLOP/s"},
		{fmt.Sprintf("matrix product float32, one row ×%d", t.Columns), rate(1, func() (func(), float64) { return oneRow(t) }), "GFLOP/s"},
		{"matrix product int8", rate(1, func() (func(), float64) { return integers(&t.Integer) }), "GOP/s"},
		{"depthwise 3×3, 64 channels", rate(1, func() (func(), float64) { return depthwise(t) }), "GFLOP/s"},
	}
	for _, v := range []struct {
		name string
		call func()
	}{
		{"pack rows", func() { t.PackRows(out, x, 8, 8, n/8, n/8) }},
		{"add", func() { t.Add(out, x, y) }},
		{"multiply and add", func() { t.MulAdd(out, x, y) }},
		{"sum", func() { t.Sum(x) }},
		{"exp", func() { t.Exp(out, x) }},
		{"logistic", func() { t.Logistic(out, x) }},
		{"tanh", func() { t.Tanh(out, x) }},
		{"GELU (tanh)", func() { t.GeluTanh(out, x) }},
		{"softmax's exp and sum", func() { t.ExpSum(out, x, 2, 1) }},
	} {
		list = append(list, Kernel{v.name, rate(1, func() (func(), float64) { return v.call, n }), "Gelements/s"})
	}
	return list
}

// oneRow multiplies a row by a panel: what a product of one token does.
func oneRow(t *simd.Table) (func(), float64) {
	const depth, calls = 192, 64
	rows := t.Height(1)
	a, b, c := make([]float32, rows*depth), make([]float32, t.Columns*depth), make([]float32, rows*t.Columns)
	return func() {
		for range calls {
			t.Multiply(rows, t.Columns, depth, a, b, c, t.Columns)
		}
	}, 2 * float64(t.Columns*depth) * calls
}

// depthwise convolves a line of pixels with a window of 3×3.
func depthwise(t *simd.Table) (func(), float64) {
	const channels, pixels = 64, 16
	line := (pixels + 2) * channels
	w := simd.DepthwiseWindow{
		Out: make([]float32, pixels*channels), In: make([]float32, 3*line), Weights: make([]float32, 9*channels), Bias: make([]float32, channels),
		Channels: channels, Pixels: pixels, Rows: 3, Columns: 3,
		InRow: line, InColumn: channels, InPixel: channels, OutPixel: channels, WeightRow: 3 * channels, WeightColumn: channels,
		Low: -1, High: 1,
	}
	return func() { t.Depthwise(w) }, 2 * 9 * channels * pixels
}
