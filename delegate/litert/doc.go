// Package litert is the backend of LiteRT's runtime (libLiteRt.so, TensorFlow
// Lite's successor), through its C interface: segments on the CPU, and segments
// that a vendor's compiler plugin made ready for an NPU, which the vendor's
// dispatch library runs. Package compiler calls these compilers.
//
// The library is opened at run time. The backend needs cgo and the build tag
// tflite; without the tag the package only registers the kind.
package litert

import "nanoflux/delegate"

// kind is what both builds register; the one with cgo adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "litert",
		Summary: "LiteRT's runtime, on the CPU and on NPUs with a dispatch library",
		Vendor:  true,
		Options: []delegate.Option{
			{Name: "library", Default: "", Help: "path of libLiteRt.so; empty for where ci/setup litert puts it, then where the system looks"},
			{Name: "accelerator", Default: "cpu", OneOf: []string{"cpu", "npu"}, Help: "npu runs what was compiled for an NPU, and the rest on the CPU"},
			{Name: "dispatch", Default: "", Help: "folder with the NPU's dispatch library; empty for the folders next to LiteRT's own"},
			{Name: "soc_manufacturer", Default: "", Help: "whose NPU it is: Qualcomm, IntelOpenVINO, …; segments are then compiled where they were not before"},
			{Name: "soc", Default: "", Help: "the chip's model: SM8750, PTL, …"},
			{Name: "compiler_flags", Default: "", Help: "more flags of LiteRT's compiler, with spaces between"},
			{Name: "threads", Default: 0, Max: 256, Help: "threads on the CPU; 0 for one a CPU"},
		},
		Missing: "this build has no cgo backends; build with -tags tflite (make build-tflite)",
	}
}
