package support

var xnnpackRows = loaded("xnnpack.psv", nil)

// XNNPACK is the CPU delegate, with its default flags: 8-bit integers of both
// signs are taken, computed weights of FULLY_CONNECTED are not. What it leaves
// runs on the interpreter's own kernels, on the same CPU. The facts are newer
// than the library that we link (2.17.1), which takes a little less.
func XNNPACK() Table {
	return &table{name: "xnnpack", title: "XNNPACK", rows: xnnpackRows(), device: device{folds: unpacks, resizes: true}}
}
