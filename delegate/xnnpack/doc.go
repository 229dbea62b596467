// Package xnnpack is the backend of TensorFlow Lite with the XNNPACK delegate,
// fast kernels for CPUs. It is part of the TensorFlow Lite library; without the
// build tag tflite the package only registers the kind.
package xnnpack

import (
	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "xnnpack",
		Summary: "TensorFlow Lite on the CPU with the XNNPACK delegate",
		Options: []delegate.Option{
			{Name: "threads", Default: 0, Max: 256, Help: "threads of the delegate and the interpreter; 0 for one a CPU"},
		},
		Table:   func(map[string]any) (delegate.Table, error) { return support.XNNPACK(), nil },
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}
