package fallback

import (
	"fmt"

	"nanoflux/graph"
)

// axis is one spatial direction of a convolution or pooling.
type axis struct {
	in, out, kernel, stride, dilation int
	// before is the padding before the first element.
	before int
}

// newAxis works out size and padding of one direction, by TensorFlow's rules:
// SAME gives ⌈in/stride⌉ elements with the smaller half of the padding first,
// VALID only whole windows.
func newAxis(in, kernel, stride, dilation int, padding graph.Padding) (axis, error) {
	if stride < 1 || kernel < 1 || dilation < 1 {
		return axis{}, fmt.Errorf("stride %d, kernel size %d and dilation %d must be positive", stride, kernel, dilation)
	}
	a := axis{in: in, kernel: kernel, stride: stride, dilation: dilation}
	span := (kernel-1)*dilation + 1
	switch padding {
	case graph.Same:
		a.out = (in + stride - 1) / stride
		a.before = max(0, (a.out-1)*stride+span-in) / 2
	case graph.Valid:
		a.out = max(0, (in-span+stride)/stride)
	default:
		return axis{}, fmt.Errorf("unknown padding %v", padding)
	}
	return a, nil
}

// span is the part of the kernel [from, to) that lies inside the input at
// output position o, and the input position of kernel element 0.
func (a axis) span(o int) (from, to, start int) {
	start = o*a.stride - a.before
	if start < 0 {
		from = (-start + a.dilation - 1) / a.dilation
	}
	to = a.kernel
	if last := start + (a.kernel-1)*a.dilation; last >= a.in {
		to -= (last - a.in + a.dilation) / a.dilation
	}
	return min(from, a.kernel), max(to, min(from, a.kernel)), start
}
