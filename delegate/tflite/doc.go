// Package tflite is the backend that runs segments in TensorFlow Lite's own
// interpreter, by way of github.com/tphakala/go-tflite and the TensorFlow Lite C
// library. It needs cgo and the build tag tflite; without the tag the package
// only registers the kind, with a note how to get it.
//
// It is also what the backends with a delegate are made of: they hand Compile a
// delegate, and the one wrapper of the interpreter serves all.
package tflite

import "nanoflux/delegate"

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "tflite",
		Summary: "TensorFlow Lite's interpreter on the CPU, with its built-in kernels",
		Options: []delegate.Option{
			{Name: "threads", Default: 0, Max: 256, Help: "threads of the interpreter; 0 for one a CPU"},
		},
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}
