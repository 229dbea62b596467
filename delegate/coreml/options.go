// Package coreml is the backend of Apple's Core ML, by way of TensorFlow Lite's
// Core ML delegate. It needs cgo and the build tag tflite; without the tag the
// package only registers the kind.
package coreml

import (
	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

// Options are the settings of the delegate.
type Options struct {
	// Library is where the delegate is; empty for where the loader finds it.
	Library string
	// AllDevices also uses devices without a Neural Engine.
	AllDevices bool
	// Version of Core ML to convert for, 2 or 3.
	Version                     int
	MaxPartitions, MinOperators int
	Threads                     int
}

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "coreml",
		Summary: "Apple's Core ML, through the TensorFlow Lite delegate",
		Vendor:  true,
		Options: []delegate.Option{
			{Name: "library", Default: "", Help: "path of the delegate's library; empty to let the loader find it"},
			{Name: "all_devices", Default: false, Help: "also use devices without a Neural Engine"},
			{Name: "version", Default: 3, Min: 2, Max: 3, Help: "version of Core ML to convert for"},
			{Name: "max_partitions", Default: 0, Max: 1000, Help: "most pieces that a segment is cut into; 0 for no limit"},
			{Name: "min_nodes", Default: 1, Min: 1, Max: 1000, Help: "fewest operators of a piece"},
			{Name: "threads", Default: 0, Max: 256, Help: "CPU threads for what the delegate leaves; 0 for one a CPU"},
		},
		Table:   func(options map[string]any) (delegate.Table, error) { return fromMap(options).table() },
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}

func fromMap(o map[string]any) Options {
	return Options{
		Library: o["library"].(string), AllDevices: o["all_devices"].(bool), Version: o["version"].(int),
		MaxPartitions: o["max_partitions"].(int), MinOperators: o["min_nodes"].(int), Threads: o["threads"].(int),
	}
}

func (o Options) table() (delegate.Table, error) {
	return support.CoreML(support.CoreMLOptions{Version: o.Version})
}
