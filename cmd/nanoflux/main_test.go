package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/graph"
)

// call runs a command line in this process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"nanoflux"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// ok runs a command line that must succeed and returns what it prints.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := call(t, args...)
	if code != 0 {
		t.Fatalf("nanoflux %s: code %d, %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// file writes a file into the test's directory.
func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// model is y = tanh(x · w) with x [1, 4] and y [1, 3].
func model(t *testing.T) []byte {
	t.Helper()
	b := graph.NewBuilder("small")
	w := graph.NewArray(graph.Float32, 3, 4)
	for i := range 12 {
		graph.View[float32](w.Data)[i] = float32(i) / 10
	}
	b.Output("y", b.Tanh(b.FullyConnected(b.Input("x", graph.Float32, 1, 4), b.Const("w", w), graph.None, graph.ActNone)))
	return marshal(t, b)
}

func marshal(t *testing.T, b *graph.Builder) []byte {
	t.Helper()
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	data, err := graph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func array(t *testing.T, a graph.Array) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Encode(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pocketZip(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../models/bundle/pocket/pocket.zip")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// filesIn lists a directory, hidden files too.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestEveryCommandHelpsWithAnExampleAndTheExitCodes(t *testing.T) {
	var walk func(path []string, commands []*cli.Command)
	walk = func(path []string, commands []*cli.Command) {
		for _, c := range commands {
			line := append(append([]string(nil), path...), c.Name)
			text := ok(t, append(line, "--help")...)
			for _, want := range []string{"Example", "nanoflux " + strings.Join(line, " "), "Exit codes:", "130 interrupted"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s --help lacks %q:\n%s", strings.Join(line, " "), want, text)
				}
			}
			walk(line, c.Subcommands)
		}
	}
	walk(nil, newApp(io.Discard, io.Discard).Commands)
	if text := ok(t, "help", "profile", "check"); !strings.Contains(text, "nanoflux profile check [OPTION...] NAME|FILE") {
		t.Errorf("nanoflux help profile check prints %q", text)
	}
	for _, args := range [][]string{{}, {"--help"}, {"-h"}, {"help"}} {
		if text := ok(t, args...); !strings.Contains(text, "generate") || !strings.Contains(text, "Exit codes:") {
			t.Errorf("nanoflux %v prints %q", args, text)
		}
	}
}

func TestOptionsMayStandAnywhere(t *testing.T) {
	command := &cli.Command{Name: "c", Flags: []cli.Flag{
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}}, &cli.BoolFlag{Name: "quiet"}, &cli.StringSliceFlag{Name: "in"},
	}}
	app := &cli.App{Commands: []*cli.Command{command, {Name: "p", Subcommands: []*cli.Command{command}}}}
	for line, want := range map[string]string{
		"c a -o x":                "c -o x -- a",
		"c -o x a":                "c -o x -- a",
		"c a --out=x b --quiet":   "c --out=x --quiet -- a b",
		"c --quiet a -- -b --out": "c --quiet -- a -b --out",
		"c a --in 1 --in 2 -h":    "c --in 1 --in 2 -h -- a",
		"c -":                     "c -- -",
		"p c a --quiet":           "p c --quiet -- a",
		"c -o -x a":               "c -o -x -- a",
		"c":                       "c --",
	} {
		got, err := arrange(app, append([]string{"nanoflux"}, strings.Fields(line)...))
		if err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s: %v, %v; want %s", line, got, err, want)
		}
	}
}

func TestProfileCheckPrintsEveryMistake(t *testing.T) {
	path := file(t, "bad.yaml", []byte(`version: 1
name: bad
backend: 4
backends:
  - kind: fallback
    nam: x
    options: {thread: 2}
  - {name: z, kind: falback}
rules:
  - {op: ADDD, backend: z}
`))
	code, stdout, stderr := call(t, "profile", "check", path)
	want := path + ":3:1: a profile has no key \"backend\"; did you mean \"backends\"?\n" +
		path + ":6:5: backend 1 has no key \"nam\"; did you mean \"name\"?\n" +
		path + ":7:15: backend fallback has no option \"thread\"; did you mean \"threads\"?\n" +
		path + ":8:21: backend kind \"falback\" is not known; did you mean \"fallback\"?\n" +
		path + ":10:10: operator type \"ADDD\" is not known; did you mean \"ADD\"?\n"
	if code != 3 || stdout != want || !strings.Contains(stderr, "5 mistakes") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}

func TestRunWritesOutputsAndCompares(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	x := graph.NewArray(graph.Float32, 1, 4)
	graph.View[float32](x.Data)[1] = 2
	input := file(t, "x.npy", array(t, x))
	dir := filepath.Join(t.TempDir(), "results", "new")
	text := ok(t, "run", path, "--input", "x="+input, "--output", dir, "--compare", "fallback", "--profile", "cpu-go")
	if !strings.Contains(text, "compared with fallback") || !strings.Contains(text, "equal") {
		t.Errorf("printed\n%s", text)
	}
	data, err := os.ReadFile(filepath.Join(dir, filesIn(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	y, err := npy.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	// tanh of 2 · 0.1, 2 · 0.5 and 2 · 0.9.
	for i, want := range []float32{0.19737532, 0.7615942, 0.94680601} {
		if got := graph.View[float32](y.Data)[i]; got < want-1e-6 || got > want+1e-6 {
			t.Errorf("y[%d] = %v, want %v", i, got, want)
		}
	}
	var facts struct {
		Outputs []struct {
			Shape []int
			Low   float64
		}
		Compared []struct{ Equal bool }
	}
	if err := json.Unmarshal([]byte(ok(t, "run", "--json", "--compare", "fallback", path)), &facts); err != nil {
		t.Fatal(err)
	}
	if len(facts.Outputs) != 1 || len(facts.Compared) != 1 || !facts.Compared[0].Equal || len(facts.Outputs[0].Shape) != 2 {
		t.Errorf("facts %+v", facts)
	}
}

func TestPlansPrintAsTextYAMLAndJSON(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	for _, target := range []string{path, "pocket"} {
		if text := ok(t, "plan", target); !strings.Contains(text, "segment") {
			t.Errorf("%s as text:\n%s", target, text)
		}
		if text := ok(t, "plan", target, "--yaml"); !strings.Contains(text, "segments:") {
			t.Errorf("%s as YAML:\n%s", target, text)
		}
		var plans []struct{ Segments []struct{ Backend string } }
		if err := json.Unmarshal([]byte(ok(t, "plan", "--json", target, "--profile", "cpu-go")), &plans); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 4, false: 1}[target == "pocket"]; len(plans) != want || plans[0].Segments[0].Backend != "go" {
			t.Errorf("%s: plans %+v", target, plans)
		}
	}
}

func TestFactsAreJSON(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	for _, args := range [][]string{
		{"version"}, {"doctor"}, {"inspect", path}, {"bundle", "show"}, {"profile", "list"}, {"plan", path}, {"run", path},
	} {
		text := ok(t, append(args, "--json")...)
		if !json.Valid([]byte(text)) {
			t.Errorf("%v --json prints %q", args, text)
		}
		if plain := ok(t, args...); plain == "" || json.Valid([]byte(plain)) {
			t.Errorf("%v prints %q", args, plain)
		}
	}
}

func TestShownProfilesAreValid(t *testing.T) {
	for line := range strings.Lines(ok(t, "profile", "list")) {
		name := strings.Fields(line)[0]
		path := file(t, name+".yaml", []byte(ok(t, "profile", "show", name)))
		if text := ok(t, "profile", "check", path); !strings.Contains(text, name+" is valid") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestProfileCheckNamesTheBackendsThatDoctorMisses(t *testing.T) {
	var found struct {
		Profiles []struct {
			Name    string
			Missing []string
		}
	}
	if err := json.Unmarshal([]byte(ok(t, "doctor", "--json")), &found); err != nil || len(found.Profiles) == 0 {
		t.Fatalf("doctor: %v, %+v", err, found)
	}
	for _, p := range found.Profiles {
		text := ok(t, "profile", "check", p.Name)
		if got := strings.Count(text, "cannot be used here: "); got != len(p.Missing) {
			t.Errorf("%s misses %v, but:\n%s", p.Name, p.Missing, text)
		}
		for _, name := range p.Missing {
			if !strings.Contains(text, "backend "+name+" cannot be used here: ") || strings.Contains(text, "not available") {
				t.Errorf("%s misses %s, but:\n%s", p.Name, name, text)
			}
		}
	}
}

func TestGenerateMakesAPicture(t *testing.T) {
	dir := t.TempDir()
	path, again := filepath.Join(dir, "a.png"), filepath.Join(dir, "b.png")
	text := ok(t, "generate", "a red apple, 3d", "-o", path, "--steps", "2")
	for _, want := range []string{path + ": 256×256, seed 42, 2 steps", "denoiser", "go: "} {
		if !strings.Contains(text, want) {
			t.Errorf("printed %q, which lacks %q", text, want)
		}
	}
	if text := ok(t, "generate", "--quiet", "--steps=2", "-o", again, "--seed", "42", "a red apple, 3d"); text != "" {
		t.Errorf("--quiet printed %q", text)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the second picture is another (%v)", err)
	}
	if stdout := ok(t, "generate", "-o", "-", "--steps=2", "a red apple, 3d"); stdout != string(first) {
		t.Error("standard output is another picture")
	}
	img, err := png.Decode(bytes.NewReader(first))
	if err != nil || img.Bounds().Dx() != 256 {
		t.Fatalf("not a picture: %v", err)
	}
	if !bytes.Contains(first, []byte("parameters\x00a red apple, 3d\nSteps: 2, ")) {
		t.Error("the prompt is not in the picture")
	}
	var facts struct {
		File  string
		Seed  uint64
		Parts []struct{ Part string }
	}
	if err := json.Unmarshal([]byte(ok(t, "generate", "a cat", "--json", "--steps", "1", "--seed", "random", "-o", again)), &facts); err != nil {
		t.Fatal(err)
	}
	if facts.File != again || len(facts.Parts) != 4 {
		t.Errorf("facts %+v", facts)
	}
	if got := filesIn(t, dir); got != "a.png b.png" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestPromptsThatTheBundleDoesNotKnowAreWarnedOf(t *testing.T) {
	if testing.Short() {
		t.Skip("under an emulator four pictures take half a minute; models/pipeline checks the warnings there")
	}
	path := filepath.Join(t.TempDir(), "p.png")
	for prompt, want := range map[string]string{
		"a bicycle": "cactus",
		"a cst":     `cat`,
		"a cat" + strings.Repeat(" and a dog", 20): "this was cut",
	} {
		code, _, stderr := call(t, "generate", prompt, "--steps", "1", "-o", path)
		if code != 0 || !strings.HasPrefix(stderr, "nanoflux: warning: ") || !strings.Contains(stderr, want) {
			t.Errorf("%.30s: code %d, %q lacks %q", prompt, code, stderr, want)
		}
	}
	if _, _, stderr := call(t, "generate", "a cat, 3d", "--steps", "1", "-o", path); stderr != "" {
		t.Errorf("a good prompt: %q", stderr)
	}
}

func TestAnInterruptedPictureLeavesTheOldFile(t *testing.T) {
	path := file(t, "a.png", []byte("old"))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	var out, errs bytes.Buffer
	code := run(ctx, []string{"nanoflux", "generate", "a cat", "--steps", "1000", "-o", path}, &out, &errs)
	if code != 130 || errs.String() != "nanoflux: interrupted; nothing was written\n" {
		t.Errorf("code %d, %q", code, errs.String())
	}
	if data, _ := os.ReadFile(path); string(data) != "old" || filesIn(t, filepath.Dir(path)) != "a.png" {
		t.Errorf("left: %s, %q", filesIn(t, filepath.Dir(path)), data)
	}
}

func TestAFullDiskIsReported(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{
		{"version"}, {"doctor", "--json"}, {"profile", "show", "cpu-go"}, {"--help"},
		{"generate", "a cat", "--steps", "1", "-o", "/dev/full"}, {"generate", "a cat", "--steps", "1", "-o", "-"},
	} {
		var errs bytes.Buffer
		code := run(t.Context(), append([]string{"nanoflux"}, args...), full, &errs)
		if code != 4 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: code %d, %q", args, code, errs.String())
		}
	}
}

func TestALevelOfCPUFeaturesThatThereIsNotIsAWarning(t *testing.T) {
	t.Setenv("NANOFLUX_SIMD", "foo")
	for _, args := range [][]string{{"version"}, {"doctor"}, {"profile", "list"}} {
		code, _, stderr := call(t, args...)
		if code != 0 || strings.Count(stderr, "NANOFLUX_SIMD=foo") != 1 || !strings.Contains(stderr, "there are generic") {
			t.Errorf("%v: code %d, %s", args, code, stderr)
		}
	}
	// A worker's words belong to the error when it is lost.
	if _, _, stderr := call(t, "worker"); strings.Contains(stderr, "NANOFLUX_SIMD") {
		t.Errorf("worker: %s", stderr)
	}
}
