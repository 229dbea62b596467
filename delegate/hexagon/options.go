// Package hexagon is the backend of Qualcomm's older DSPs (Hexagon 65 and 66),
// by way of TensorFlow Lite's Hexagon delegate, for 8-bit models. It needs cgo
// and the build tag tflite; without the tag the package only registers the kind.
package hexagon

import (
	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

// Options are the settings of the delegate.
type Options struct {
	// Library is where libhexagon_delegate.so is; empty for where the loader
	// finds it.
	Library string
	// SkelDir is the folder with libhexagon_nn_skel*.so; empty when the
	// environment (ADSP_LIBRARY_PATH) says it.
	SkelDir                     string
	PowerSave                   int
	MaxPartitions, MinOperators int
	Threads                     int
}

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "hexagon",
		Summary: "Qualcomm's Hexagon DSP (Snapdragon 835 to 870), through the TensorFlow Lite delegate",
		Vendor:  true,
		Options: []delegate.Option{
			{Name: "library", Default: "", Help: "path of libhexagon_delegate.so; empty to let the loader find it"},
			{Name: "skel_dir", Default: "", Help: "folder with libhexagon_nn_skel*.so; empty to use ADSP_LIBRARY_PATH"},
			{Name: "power_save", Default: 0, Max: 10, Help: "power-save level; 0 is the fastest"},
			{Name: "max_partitions", Default: 16, Min: 1, Max: 16, Help: "most pieces that a segment is cut into"},
			{Name: "min_nodes", Default: 1, Min: 1, Max: 1000, Help: "fewest operators of a piece"},
			{Name: "threads", Default: 0, Max: 256, Help: "CPU threads for what the delegate leaves; 0 for one a CPU"},
		},
		Table:   func(map[string]any) (delegate.Table, error) { return support.Hexagon(), nil },
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}
