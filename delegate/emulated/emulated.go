// Package emulated has the emulated NPU: a TensorFlow Lite delegate plugin in C
// (src), built by ci/emunpu, that takes what a rule file says, computes it on the
// CPU, and misbehaves on request. It is how every path to a delegate is tested
// without a device, and how a profile is tried without the phone.
//
// The program knows nothing of it: to a profile it is a plugin like any other
// (kind external). docs/emulated-npu.md describes its options.
package emulated

import (
	"os"
	"path/filepath"
	"runtime"
)

// The libraries that ci/emunpu builds.
const (
	// Plugin has the interface of delegate plugins.
	Plugin = "libnanoflux_emunpu.so"
	// NNAPI, Hexagon and CoreML are doubles of vendors' libraries. They take
	// their options from the environment variable NANOFLUX_EMUNPU_OPTIONS.
	NNAPI   = "libnanoflux_emu_nnapi.so"
	Hexagon = "libnanoflux_emu_hexagon.so"
	CoreML  = "libnanoflux_emu_coreml.so"
)

// Library is where a library is in a checkout, found upwards from the working
// directory. ok is false when it was not built.
func Library(name string) (path string, ok bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		path := filepath.Join(dir, "build", "emunpu", "linux-"+runtime.GOARCH, name)
		if _, err := os.Stat(path); err == nil {
			return path, true
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		return "", false
	}
}
