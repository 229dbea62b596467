package support

var xnnpackRows = loaded("xnnpack.psv", nil)

// XNNPACK is the CPU delegate of the library that we link (TensorFlow Lite
// 2.17.1) with the flags it starts with: 8-bit integers of both signs are taken,
// computed weights of FULLY_CONNECTED are not, nor operators behind the flag for
// the latest. A test compares it with that library. What it leaves runs on the
// interpreter's own kernels, on the same CPU.
func XNNPACK() Table {
	return &table{name: "xnnpack", title: "XNNPACK", rows: xnnpackRows(), device: device{folds: unpacks, resizes: true}}
}
