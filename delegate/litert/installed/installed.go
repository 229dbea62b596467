// Package installed knows where LiteRT's package lies on this machine, and what
// is in it: the runtime, the tool that compiles for NPUs, and what vendors add to
// both. It opens nothing.
package installed

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// version of the packages that ci/setup fetches.
const (
	litertFolder   = "litert-2.3.0"
	openvinoFolder = "openvino-2026.3.1"
	qnnFolder      = "qnn-2.7.0"
)

// Package is LiteRT's package as a Python wheel unpacks: a folder in which
// ai_edge_litert lies.
type Package struct{ Root string }

// Find is the package in the folder that NANOFLUX_LITERT names, or in the user's
// cache. It may not be there.
func Find() Package { return Package{Root: folder("NANOFLUX_LITERT", litertFolder)} }

// folder is what an environment variable names, or a folder of the user's cache.
func folder(variable, name string) string {
	if path := os.Getenv(variable); path != "" {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "nanoflux", name)
}

// in is a path inside ai_edge_litert; empty without a package.
func (p Package) in(parts ...string) string {
	if p.Root == "" {
		return ""
	}
	return filepath.Join(append([]string{p.Root, "ai_edge_litert"}, parts...)...)
}

// Library is the path of the runtime.
func (p Package) Library() string { return p.in("libLiteRt.so") }

// Tool is the path of the program that applies compiler plugins.
func (p Package) Tool() string { return p.in("tools", "apply_plugin_main") }

// Empty is the folder with an empty library, for a name that a compiler plugin
// wants to see and never calls.
func (p Package) Empty() string { return filepath.Join(p.Root, "empty") }

// Compiler is the folder of a vendor's compiler plugin.
func (p Package) Compiler(v Vendor) string { return p.in("vendors", v.Folder, "compiler") }

// Dispatch is the folder where a vendor's dispatch library would lie.
func (p Package) Dispatch(v Vendor) string { return p.in("vendors", v.Folder, "dispatch") }

// dispatchPrefix begins the file names of dispatch libraries.
const dispatchPrefix = "libLiteRtDispatch"

// DispatchLibraries are the dispatch libraries in a folder, as LiteRT finds them.
func DispatchLibraries(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), dispatchPrefix) && strings.HasSuffix(e.Name(), ".so") {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	slices.Sort(found)
	return found
}

// Version of the package; empty when it does not tell.
func (p Package) Version() string {
	const prefix, suffix = "ai_edge_litert-", ".dist-info"
	entries, err := os.ReadDir(p.Root)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			return strings.TrimSuffix(strings.TrimPrefix(name, prefix), suffix)
		}
	}
	return ""
}
