// Package ci checks what no single package can see of itself.
package ci

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// floors gives each room its floor (ARCHITECTURE.md, "The rooms"). The longest
// matching prefix counts. A package may import floors below its own, and, where
// peers says so, a package of its own floor.
var floors = []struct {
	prefix string
	floor  int
}{
	{"nanoflux/ci", 9},
	{"nanoflux/cmd", 8},
	{"nanoflux/models/calibrate", 7},
	{"nanoflux/models/compile", 7},
	{"nanoflux/models/pipeline", 7},
	{"nanoflux/models", 6},
	{"nanoflux/partition/bench", 5},
	{"nanoflux/partition/exec", 5},
	{"nanoflux/partition", 4},
	{"nanoflux/delegate/", 3},
	{"nanoflux/fallback", 3},
	{"nanoflux/delegate", 2},
	{"nanoflux/profiles/nearest", 0}, // words; everybody has messages
	{"nanoflux/profiles", 1},
	{"nanoflux/graph", 0},
}

// peers are imports within one floor: a room's own inner packages, the list of
// all backends, what backends are made of, and the bundle maker, which calls the model builders.
var peers = []struct{ from, to string }{
	{"nanoflux/graph", "nanoflux/graph/"},
	{"nanoflux/graph/rewrite", "nanoflux/graph"},
	{"nanoflux/graph/rewrite", "nanoflux/profiles/nearest"},
	{"nanoflux/fallback", "nanoflux/fallback/"},
	{"nanoflux/delegate/all", "nanoflux/"},
	{"nanoflux/delegate/tflite", "nanoflux/delegate/tflite/"},
	{"nanoflux/delegate/", "nanoflux/delegate/dl"},
	{"nanoflux/delegate/guarded", "nanoflux/delegate/journal"},
	{"nanoflux/delegate/", "nanoflux/delegate/shared"},
	{"nanoflux/delegate/", "nanoflux/delegate/support"},
	{"nanoflux/delegate/", "nanoflux/delegate/tflite"}, // what every delegate is put into
	{"nanoflux/delegate/litert", "nanoflux/delegate/litert/"},
	{"nanoflux/delegate/qnntflite", "nanoflux/delegate/external"},
	{"nanoflux/delegate/qnn", "nanoflux/delegate/qnn/onnx"},
	{"nanoflux/models/", "nanoflux/models/"},
	{"nanoflux/cmd/", "nanoflux/cmd/"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
	SFiles     []string
	CFiles     []string
}

func listPackages(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,CgoFiles,SFiles,CFiles"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // without it go list hides cgo files
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func floorOf(path string) (floor int, known bool) {
	longest := -1
	for _, f := range floors {
		if (path == f.prefix || strings.HasPrefix(path, strings.TrimSuffix(f.prefix, "/")+"/")) && len(f.prefix) > longest {
			// "nanoflux/delegate/" is the folders below it, not the package itself.
			if strings.HasSuffix(f.prefix, "/") && path == strings.TrimSuffix(f.prefix, "/") {
				continue
			}
			longest, floor, known = len(f.prefix), f.floor, true
		}
	}
	return floor, known
}

func isPeer(from, to string) bool {
	for _, p := range peers {
		inside := from == p.from || strings.HasPrefix(from, strings.TrimSuffix(p.from, "/")+"/")
		if inside && strings.HasPrefix(to, p.to) {
			return true
		}
	}
	return false
}

func TestEveryPackageImportsOnlyFloorsBelowIt(t *testing.T) {
	packages := listPackages(t, "-tags", "tflite", "nanoflux/...")
	if len(packages) < 10 {
		t.Fatalf("only %d packages listed", len(packages))
	}
	for _, p := range packages {
		own, known := floorOf(p.ImportPath)
		if !known {
			t.Errorf("%s stands on no floor: add it to floors here and to ARCHITECTURE.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, "nanoflux/") {
				continue
			}
			floor, known := floorOf(imported)
			if known && (floor > own || floor == own && !isPeer(p.ImportPath, imported)) {
				t.Errorf("%s (floor %d) imports %s (floor %d)", p.ImportPath, own, imported, floor)
			}
		}
	}
}

func TestOnlyDelegatesHaveC(t *testing.T) {
	for _, p := range listPackages(t, "-tags", "tflite", "nanoflux/...") {
		if len(p.CgoFiles)+len(p.CFiles) > 0 && !strings.HasPrefix(p.ImportPath, "nanoflux/delegate/") {
			t.Errorf("%s uses cgo; only folders of delegate/ may", p.ImportPath)
		}
	}
}

func TestTheDefaultBuildHasNoC(t *testing.T) {
	for _, p := range listPackages(t, "nanoflux/...") {
		if len(p.CgoFiles)+len(p.CFiles) > 0 {
			t.Errorf("%s uses cgo without a build tag", p.ImportPath)
		}
	}
}
