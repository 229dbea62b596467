//go:build tflite

package qnn

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate"
)

// provider is the name under which the QNN provider is registered, and by which
// its devices are found.
const provider = "QNNExecutionProvider"

// Files of the libraries; the one of ONNX Runtime has its version in its name in
// some packages.
const (
	providerFile = "libonnxruntime_providers_qnn.so"
	backendFile  = "libQnnHtp.so"
	runtimeFile  = "libonnxruntime.so"
)

// libraries are the files that a backend needs.
type libraries struct {
	runtime, provider, backend string
}

// packages is the folder that ci/setup qnn fills.
func packages() string {
	if folder := os.Getenv("NANOFLUX_QNN"); folder != "" {
		return folder
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "nanoflux", "qnn-2.7.0")
}

// locate finds the libraries in a folder, which may be laid out as the packages
// are, or hold the files themselves; without a folder, where ci/setup puts them
// and then beside the program. Errors wrap delegate.ErrUnavailable.
func locate(folder string) (libraries, error) {
	folders := []string{folder}
	if folder == "" {
		folders = []string{packages()}
		if self, err := os.Executable(); err == nil {
			folders = append(folders, filepath.Dir(self))
		}
	}
	for _, f := range folders {
		l := libraries{
			runtime:  first(filepath.Join(f, "onnxruntime", "capi", runtimeFile+"*"), filepath.Join(f, runtimeFile+"*")),
			provider: first(filepath.Join(f, "onnxruntime_qnn", providerFile), filepath.Join(f, providerFile)),
			backend:  first(filepath.Join(f, "onnxruntime_qnn", backendFile), filepath.Join(f, backendFile)),
		}
		if l.runtime != "" && l.provider != "" && l.backend != "" {
			return l, nil
		}
	}
	return libraries{}, fmt.Errorf("%w: no %s, %s and %s in %s: run ci/setup qnn, or name their folder in option libraries", delegate.ErrUnavailable, runtimeFile, providerFile, backendFile, strings.Join(folders, " or "))
}

// first is the first file that fits one of the patterns.
func first(patterns ...string) string {
	for _, p := range patterns {
		files, _ := filepath.Glob(p)
		slices.Sort(files)
		for _, f := range files {
			if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
				return f
			}
		}
	}
	return ""
}

var (
	loading sync.Mutex
	loaded  libraries
	failed  error
	devices []ort.EpDevice
)

// load starts ONNX Runtime, once in a process, and gives the QNN provider's
// device; none with an empty l.provider. What came of the first call is the
// answer to all later ones. Errors wrap delegate.ErrUnavailable.
func (l libraries) load() (*ort.EpDevice, error) {
	loading.Lock()
	defer loading.Unlock()
	if failed != nil {
		return nil, failed
	}
	if !ort.IsInitialized() {
		if failed = startLog(l.runtime); failed != nil {
			return nil, failed
		}
		ort.SetSharedLibraryPath(l.runtime)
		if err := ort.InitializeEnvironment(); err != nil {
			failed = fmt.Errorf("%w: %s: %w; version 1.29 or newer is needed: run ci/setup qnn", delegate.ErrUnavailable, l.runtime, err)
			return nil, failed
		}
		loaded.runtime = l.runtime
	}
	if l.runtime != loaded.runtime {
		return nil, fmt.Errorf("%w: this process already runs %s; a backend with other libraries needs a process of its own (isolate)", delegate.ErrUnavailable, loaded.runtime)
	}
	if l.provider == "" {
		return nil, nil
	}
	if loaded.provider == "" {
		if err := ort.RegisterExecutionProviderLibrary(provider, l.provider); err != nil {
			failed = fmt.Errorf("%w: %s: %w; run ci/setup qnn for one that fits", delegate.ErrUnavailable, l.provider, err)
			return nil, failed
		}
		all, err := ort.GetEpDevices()
		if err != nil {
			failed = fmt.Errorf("%w: devices of ONNX Runtime: %w", delegate.ErrUnavailable, err)
			return nil, failed
		}
		for _, d := range all {
			if d.EpName() == provider {
				devices = append(devices, d)
			}
		}
		loaded = l
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("%w: %s knows no device on %s/%s", delegate.ErrUnavailable, l.provider, runtime.GOOS, runtime.GOARCH)
	}
	return &devices[0], nil
}
