// Package tflite is the backend that runs segments in TensorFlow Lite's own
// interpreter, by way of github.com/tphakala/go-tflite and the TensorFlow Lite C
// library. It needs cgo and the build tag tflite; without the tag the package
// only registers the kind, with a note how to get it.
package tflite

import "nanoflux/delegate"

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "tflite",
		Summary: "TensorFlow Lite's interpreter on the CPU, with XNNPACK if wanted",
		Options: []delegate.Option{
			{Name: "threads", Default: 0, Help: "threads of the interpreter; 0 for one a CPU"},
			{Name: "xnnpack", Default: false, Help: "let the XNNPACK delegate take what it supports"},
		},
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}
