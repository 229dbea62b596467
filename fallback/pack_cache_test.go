package fallback

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"nanoflux/graph"
)

// cachedProduct is a model with large weights of each stored type, and an input.
func cachedProduct(t *testing.T) (*graph.Model, graph.Array) {
	t.Helper()
	r := seeded(t)
	const in, out = 70, 200
	b := graph.NewBuilder("cached")
	x := b.Input("x", graph.Float32, 3, in)
	for _, kind := range []graph.TensorType{graph.Float16, graph.Int8, graph.Int4} {
		w, q := storedConstant(r, kind, true, 0, out, in)
		b.Output(kind.String(), b.FullyConnected(x, b.Dequantize(b.QuantizedConst(kind.String(), w, q)), graph.None, graph.ActNone))
	}
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m, random(r, graph.Float32, 3, in)
}

// cachedRun compiles the model with a cache and runs it; maps is how many files
// its weights lie in.
func cachedRun(t *testing.T, m *graph.Model, x graph.Array, folder string) (out []graph.Array, maps int) {
	t.Helper()
	e := compiledWith(t, m, Options{Threads: 2, widened: 1, Cache: folder, cachedModel: 1})
	out = ran(t, e, 3, x)
	maps = len(e.(*executable).cache.mapped)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out, maps
}

func panelFiles(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	list, err := filepath.Glob(filepath.Join(folder, packVersion, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		files[f] = data
	}
	return files
}

func TestPackedWeightsAreReadFromTheCache(t *testing.T) {
	m, x := cachedProduct(t)
	want := ran(t, compiledWith(t, m, Options{Threads: 2}), 3, x)
	folder := t.TempDir()
	past := time.Now().Add(-time.Hour)
	written := map[string]os.FileInfo{}
	for i := range 2 {
		got, maps := cachedRun(t, m, x, folder)
		for k := range got {
			sameBytes(t, "output", got[k], want[k])
		}
		files := panelFiles(t, folder)
		if maps != 3 || len(files) != 3 {
			t.Fatalf("compiled for time %d: %d files are mapped and %d there, want 3", i+1, maps, len(files))
		}
		for f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && (!os.SameFile(info, written[f]) || time.Since(info.ModTime()) > time.Minute) {
				t.Errorf("%s was written again, or is not marked as used", f)
			}
			written[f] = info
			if err := os.Chtimes(f, past, past); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDamagedPackedWeightsAreReplaced(t *testing.T) {
	m, x := cachedProduct(t)
	for name, damage := range map[string]func(data []byte) []byte{
		"a bit turned":         func(d []byte) []byte { d[len(d)/3] ^= 4; return d },
		"the checksum changed": func(d []byte) []byte { d[len(d)-1]++; return d },
		"cut off":              func(d []byte) []byte { return d[:len(d)/2] },
		"longer":               func(d []byte) []byte { return append(d, 0) },
		"empty":                func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			want, _ := cachedRun(t, m, x, folder)
			whole := panelFiles(t, folder)
			for f, data := range whole {
				if err := os.WriteFile(f, damage(bytes.Clone(data)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, _ := cachedRun(t, m, x, folder)
			for k := range got {
				sameBytes(t, "output", got[k], want[k])
			}
			for f, data := range panelFiles(t, folder) {
				if !bytes.Equal(data, whole[f]) {
					t.Errorf("%s is still damaged", f)
				}
			}
		})
	}
}

func TestWithoutAFolderPackedWeightsStayInMemory(t *testing.T) {
	m, x := cachedProduct(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := ran(t, compiledWith(t, m, Options{Threads: 2}), 3, x)
	got, maps := cachedRun(t, m, x, file) // nothing can be written below a file
	if maps != 0 {
		t.Errorf("%d files are mapped", maps)
	}
	for k := range got {
		sameBytes(t, "output", got[k], want[k])
	}
}

func TestSmallModelsAreNotCached(t *testing.T) {
	m, x := cachedProduct(t)
	folder := t.TempDir()
	ran(t, compiledWith(t, m, Options{Threads: 2, widened: 1, Cache: folder}), 3, x)
	if files := panelFiles(t, folder); len(files) != 0 {
		t.Errorf("%d files for a model of few weights", len(files))
	}
}

func TestFilesOfOtherVersionsAreRemoved(t *testing.T) {
	m, x := cachedProduct(t)
	folder := t.TempDir()
	old, half := filepath.Join(folder, "panels-0", "x.panels"), filepath.Join(folder, packVersion, ".new-1")
	past := time.Now().Add(-2 * time.Hour)
	for _, f := range []string{old, half} {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f, past, past); err != nil {
			t.Fatal(err)
		}
	}
	cachedRun(t, m, x, folder)
	for _, f := range []string{old, half} {
		if _, err := os.Stat(f); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", f, err)
		}
	}
}

// cacheVariable tells the test below, in a process of its own, its folder.
const cacheVariable = "NANOFLUX_TEST_PACKED"

func TestTwoProcessesWriteTheSamePackedWeights(t *testing.T) {
	m, x := cachedProduct(t)
	if folder := os.Getenv(cacheVariable); folder != "" {
		cachedRun(t, m, x, folder)
		return
	}
	folder := t.TempDir()
	var others []*exec.Cmd
	for range 2 {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), cacheVariable+"="+folder)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		others = append(others, c)
	}
	got, _ := cachedRun(t, m, x, folder)
	for _, c := range others {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	want := ran(t, compiledWith(t, m, Options{Threads: 2}), 3, x)
	for k := range got {
		sameBytes(t, "output", got[k], want[k])
	}
	if files := panelFiles(t, folder); len(files) != 3 {
		t.Errorf("%d files, want 3 that are complete", len(files))
	}
}
