// Package qnntflite is the backend of Qualcomm's NPUs, by way of Qualcomm's own
// TensorFlow Lite delegate (libQnnTFLiteDelegate.so), a delegate plugin. It
// needs cgo and the build tag tflite; without the tag the package only registers
// the kind.
package qnntflite

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

// plugin are the delegate's own options; all are text to it.
var plugin = []delegate.Option{
	{Name: "backend_type", Default: "htp", OneOf: []string{"htp", "gpu", "dsp", "ir"}, Help: "which part of the chip: htp is the NPU"},
	{Name: "library_path", Default: "", Help: "path of libQnnHtp.so (or of another part's library)"},
	{Name: "skel_library_dir", Default: "", Help: "folder with the libraries that run on the DSP"},
	{Name: "htp_precision", Default: "", OneOf: []string{"", "quantized", "fp16"}, Help: "how the NPU computes; empty for the delegate's choice"},
	{Name: "htp_performance_mode", Default: 0, Max: 8, Help: "0 default, 1 sustained high, 2 burst, 3 high, 4 power saver, to 8"},
	{Name: "htp_perf_ctrl_strategy", Default: "", OneOf: []string{"", "manual", "auto"}, Help: "who switches the performance mode"},
	{Name: "gpu_precision", Default: 2, Max: 3, Help: "precision of the GPU; 2 is float16"},
	{Name: "gpu_performance_mode", Default: "", OneOf: []string{"", "default", "high", "normal", "low"}, Help: "performance mode of the GPU"},
	{Name: "dsp_performance_mode", Default: 0, Max: 8, Help: "performance mode of the DSP"},
	{Name: "dsp_pd_session", Default: "", OneOf: []string{"", "unsigned", "signed", "adaptive"}, Help: "process domain of the DSP"},
}

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "qnn-tflite",
		Summary: "Qualcomm's NPUs, through Qualcomm's TensorFlow Lite delegate",
		Vendor:  true,
		Options: append([]delegate.Option{
			{Name: "library", Default: "libQnnTFLiteDelegate.so", Help: "path of the delegate"},
			{Name: "soc", Default: "SM8650", Help: "the chip's model, which says what its NPU can do"},
			{Name: "threads", Default: 0, Max: 256, Help: "CPU threads for what the delegate leaves; 0 for one a CPU"},
		}, plugin...),
		Table:   table,
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}

func table(o map[string]any) (delegate.Table, error) {
	t, err := support.QNN(support.QNNOptions{SoC: o["soc"].(string)})
	if err != nil {
		return nil, fmt.Errorf("option soc: %w", err)
	}
	return t, nil
}
