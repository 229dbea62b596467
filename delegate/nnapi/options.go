// Package nnapi is the backend of Android's Neural Networks API, by way of the
// NNAPI delegate in TensorFlow Lite's library for Android. It needs cgo and the
// build tag tflite; without the tag the package only registers the kind.
//
// The delegate's C interface has no setting for priority and burst mode; those
// two exist in its C++ interface only.
package nnapi

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

// Options are the settings of the delegate.
type Options struct {
	// Library is where TensorFlow Lite for Android is; empty for where the
	// loader finds it.
	Library string
	// Level is the device's NNAPI feature level: 27 to 31, or 1000006 and up.
	Level int
	// Accelerator is the driver's name; empty for any.
	Accelerator string
	// CacheDir and ModelToken let the driver keep what it compiled.
	CacheDir, ModelToken string
	FP16                 bool
	// Preference is one of preferences.
	Preference    string
	AllowCPU      bool
	MaxPartitions int
	Threads       int
}

// preferences in the delegate's numbers, which start at -1.
var preferences = []string{"undefined", "low-power", "fast-single-answer", "sustained-speed"}

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "nnapi",
		Summary: "Android's Neural Networks API, through the TensorFlow Lite delegate",
		Vendor:  true,
		Options: []delegate.Option{
			{Name: "library", Default: "", Help: "path of TensorFlow Lite's library for Android; empty to let the loader find it"},
			{Name: "level", Default: 29, Min: 27, Max: 1000008, Help: "NNAPI feature level of the device: 27 to 31, or 1000006 to 1000008"},
			{Name: "accelerator", Default: "", Help: "name of the driver to use; empty for any"},
			{Name: "cache_dir", Default: "", Help: "folder in which the driver keeps compiled models"},
			{Name: "model_token", Default: "", Help: "begins the names of compiled segments in cache_dir; each gets a name of its own"},
			{Name: "fp16", Default: false, Help: "let the device compute float32 in float16"},
			{Name: "preference", Default: preferences[0], OneOf: preferences, Help: "what the driver optimises for"},
			{Name: "allow_cpu", Default: false, Help: "let NNAPI's own CPU implementation take operators"},
			{Name: "max_partitions", Default: 0, Max: 1000, Help: "most pieces that a segment is cut into; 0 for no limit"},
			{Name: "threads", Default: 0, Max: 256, Help: "CPU threads for what the delegate leaves; 0 for one a CPU"},
		},
		Table:   func(options map[string]any) (delegate.Table, error) { return fromMap(options).table() },
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}

func fromMap(o map[string]any) Options {
	return Options{
		Library: o["library"].(string), Level: o["level"].(int), Accelerator: o["accelerator"].(string),
		CacheDir: o["cache_dir"].(string), ModelToken: o["model_token"].(string), FP16: o["fp16"].(bool),
		Preference: o["preference"].(string), AllowCPU: o["allow_cpu"].(bool),
		MaxPartitions: o["max_partitions"].(int), Threads: o["threads"].(int),
	}
}

func (o Options) table() (delegate.Table, error) {
	t, err := support.NNAPI(support.NNAPIOptions{Level: o.Level, Accelerator: o.Accelerator != "", AllowFP16: o.FP16})
	if err != nil {
		return nil, fmt.Errorf("option level: %w", err)
	}
	return t, nil
}
