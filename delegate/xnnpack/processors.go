//go:build tflite

package xnnpack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"nanoflux/delegate"
)

// processorLists are what XNNPACK reads on ARM to learn about the processor; one
// of them is enough. On other processors it asks the processor itself.
var processorLists = []string{"/sys/devices/system/cpu/possible", "/sys/devices/system/cpu/present"}

// processorsKnown says whether XNNPACK can learn about the processor here. Where
// it cannot, it has no kernels, and what it is then asked for may end the
// process. The error wraps delegate.ErrUnavailable.
func processorsKnown() error {
	onARM := strings.HasPrefix(runtime.GOARCH, "arm")
	if runtime.GOOS != "linux" && runtime.GOOS != "android" || !onARM {
		return nil
	}
	return readable(processorLists)
}

// readable says whether one of the files has something in it.
func readable(paths []string) error {
	var first error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 {
			return nil
		}
		if err == nil {
			err = &fs.PathError{Op: "read", Path: path, Err: errors.New("it is empty")}
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("xnnpack: %w: it cannot read the list of processors (%w); give the program a readable /sys, or choose a profile with kind tflite or fallback", delegate.ErrUnavailable, first)
}
