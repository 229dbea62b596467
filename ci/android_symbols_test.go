package ci

import (
	"debug/elf"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// What the program looks up by name in libraries for Android, and calls in
// TensorFlow Lite's C interface, must be in a real one. The Hexagon delegate,
// the Core ML delegate and Qualcomm's are in no registry: their names, and the
// layout of their options, are unchecked.
func TestSymbolsAreInTheRealAndroidLibrary(t *testing.T) {
	const library = "../build/android/arm64-v8a/libtensorflowlite_jni.so"
	f, err := elf.Open(library)
	if os.IsNotExist(err) {
		t.Skip("build/android is not here (ci/setup android fetches it)")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("the library is for %v", f.Machine)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			exported[s.Name] = true
		}
	}
	wanted := usedSymbols(t)
	if len(wanted) < 30 {
		t.Fatalf("only %d names found in the sources; the search is broken", len(wanted))
	}
	for _, name := range wanted {
		if !exported[name] {
			t.Errorf("%s is not in TensorFlow Lite for Android", name)
		}
	}
	t.Logf("checked %d of the names in the sources", len(wanted))
}

// notInAndroidLibrary are names that other libraries have.
var notInAndroidLibrary = []string{"TfLiteHexagon", "TfLiteCoreMl"}

// usedSymbols are the functions that our headers declare, and the names that
// are looked up at run time.
func usedSymbols(t *testing.T) (names []string) {
	t.Helper()
	for _, header := range []string{"c_api.h", "c_api_experimental.h"} {
		text, err := os.ReadFile("../delegate/tflite/include/tensorflow/lite/c/" + header)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if declaration, ok := strings.CutPrefix(line, "extern "); ok {
				before, _, _ := strings.Cut(declaration, "(")
				names = append(names, before[strings.LastIndexAny(before, " *")+1:])
			}
		}
	}
	err := fs.WalkDir(os.DirFS("../delegate"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "backend.go") {
			return err
		}
		text, err := os.ReadFile("../delegate/" + path)
		for _, word := range strings.Split(string(text), `"`) {
			foreign := slices.ContainsFunc(notInAndroidLibrary, func(p string) bool { return strings.HasPrefix(word, p) })
			if strings.HasPrefix(word, "TfLite") && !strings.ContainsAny(word, " \n") && !foreign {
				names = append(names, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
