package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/graph"
)

// customModel has an operator that nothing runs.
func customModel(t *testing.T) []byte {
	t.Helper()
	b := graph.NewBuilder("custom")
	x := b.Input("x", graph.Float32, 1, 4)
	b.Output("y", b.CustomOp("Foreign", 1, nil, []graph.T{x}, graph.Tensor{Name: "y", Type: graph.Float32, Shape: []int{1, 4}})[0])
	return marshal(t, b)
}

// textModel takes texts, which nothing can make up.
func textModel(t *testing.T) []byte {
	t.Helper()
	b := graph.NewBuilder("texts")
	b.Output("y", b.Input("x", graph.String, 2))
	return marshal(t, b)
}

// spoilt is the pocket bundle as a folder in which one file has another byte.
func spoilt(t *testing.T, victim string) string {
	t.Helper()
	dir := t.TempDir()
	data := pocketZip(t)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == victim {
			content[len(content)/2] ^= 1
			found = true
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !found {
		t.Fatalf("the bundle has no %s", victim)
	}
	return dir
}

// The table of bad input: each line ends with its exit code and one line that
// says what is wrong, where, and what to do.
func TestBadInputIsOneLineAndACode(t *testing.T) {
	good := file(t, "good.tflite", model(t))
	custom := file(t, "custom.tflite", customModel(t))
	truncated := file(t, "cut.tflite", model(t)[:200])
	foreign := file(t, "foreign.tflite", []byte("this is a text, not a model, and long enough to look at"))
	empty := file(t, "empty.tflite", nil)
	shape := file(t, "shape.npy", array(t, graph.NewArray(graph.Float32, 1, 5)))
	kind := file(t, "type.npy", array(t, graph.NewArray(graph.Int8, 1, 4)))
	notArray := file(t, "text.npy", []byte("text"))
	badProfile := file(t, "bad.yaml", []byte("version: 1\nname: bad\nbackens: 4\nbackends:\n  - kind: fallback\n"))
	badKind := file(t, "kind.yaml", []byte("version: 1\nname: bad\nbackends:\n  - kind: falback\n"))
	badOption := file(t, "option.yaml", []byte("version: 1\nname: bad\nbackends:\n  - kind: fallback\n    options: {threads: 9999, thread: 1}\n"))
	badYAML := file(t, "broken.yaml", []byte("version: [\n"))
	texts := file(t, "texts.tflite", textModel(t))
	arrayFolder := filepath.Join(t.TempDir(), "folder.npy")
	if err := os.Mkdir(arrayFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	partless := spoilt(t, "denoiser.tflite")
	if err := os.Remove(filepath.Join(partless, "denoiser.tflite")); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	picture := filepath.Join(folder, "p.png")

	for name, c := range map[string]struct {
		args string // | stands between words
		code int
		want string // … stands for anything
	}{
		"an unknown command":         {"paint", 2, `no command "paint"; there are generate`},
		"an option before a command": {"--quiet|generate", 2, "no option --quiet before a command"},
		"an unknown option":          {"generate|a cat|--sede|1", 2, "has no option --sede; it has --output, --seed"},
		"a missing value":            {"generate|a cat|-o", 2, "option -o needs a value"},
		"no prompt":                  {"generate", 2, "the prompt (in quotes) is missing"},
		"a prompt without quotes":    {"generate|a|cat", 2, `"cat" is an argument too many`},
		"a seed that is no number":   {"generate|a cat|--seed|-1", 2, "--seed -1: takes a number from 0"},
		"no steps":                   {"generate|a cat|--steps|0", 2, "--steps 0: takes a number from 1 to 1000"},
		"steps without end":          {"generate|a cat|--steps|1000000", 2, "takes a number from 1 to 1000"},
		"a picture of another kind":  {"generate|a cat|-o|cat.jpg", 2, "ends in .png"},
		"a subcommand left out":      {"profile", 2, "needs one of list, show, check"},
		"an unknown subcommand":      {"bundle|draw", 2, `has no "draw"; it has show`},
		"a reference that is none":   {"run|" + good + "|--compare|gpu", 2, "--compare gpu: takes tflite or fallback"},
		"two formats at once":        {"plan|" + good + "|--json|--yaml", 2, "exclude each other"},
		"an input that is not there": {"run|" + good + "|--input|z=zeros", 2, `has no input "z"; it has "x"`},
		"an input without a value":   {"run|" + good + "|--input|x=", 2, "takes zeros, seed:N or a .npy file"},
		"an input of nothing":        {"run|" + good + "|--input|", 2, "takes zeros, seed:N or a .npy file"},
		"an input source unknown":    {"run|" + good + "|--input|x=ones", 2, "takes zeros, seed:N or a .npy file"},
		"a value for a switch":       {"doctor|--json=maybe", 2, "maybe"},

		"a model that is missing":      {"run|" + folder + "/none.tflite", 3, "none.tflite … ; check the path"},
		"a directory for a model":      {"inspect|" + folder, 3, folder + " … ; give a .tflite file"},
		"a truncated model":            {"run|" + truncated, 3, "cut.tflite … ; give a .tflite file, or fetch it again"},
		"a truncated model, planned":   {"plan|" + truncated, 3, "cut.tflite … ; give a .tflite file, or fetch it again"},
		"a foreign file":               {"inspect|" + foreign, 3, "foreign.tflite … ; give a .tflite file"},
		"an empty file":                {"inspect|" + empty, 3, "empty.tflite … ; give a .tflite file"},
		"an unknown operator":          {"run|" + custom, 3, "Foreign … ; choose a profile with a backend that takes it"},
		"an unknown operator, planned": {"plan|" + custom, 3, "Foreign … ; choose a profile with a backend that takes it"},
		"an input of a wrong shape":    {"run|" + good + "|--input|x=" + shape, 3, "has shape [1 5], the model takes [1 4]; change its shape"},
		"an input of a wrong type":     {"run|" + good + "|--input|x=" + kind, 3, "holds INT8, the model takes FLOAT32; convert it"},
		"an input that is no array":    {"run|" + good + "|--input|x=" + notArray, 3, "text.npy … ; make the file with numpy.save"},
		"an input file missing":        {"run|" + good + "|--input|x=" + folder + "/none.npy", 3, "none.npy … ; check the path"},
		"an unknown profile":           {"generate|a cat|-o|" + picture + "|--profile|cpu-og", 3, `"cpu-og"`},
		"an unknown key":               {"plan|" + good + "|--profile|" + badProfile, 3, "bad.yaml:3:1"},
		"an unknown backend kind":      {"profile|check|" + badKind, 3, `kind.yaml:4:11: backend kind "falback" is not known; did you mean "fallback"?`},
		"a kind unknown to generate":   {"generate|a cat|-o|" + picture + "|--profile|" + badKind, 3, "kind.yaml:4:11"},
		"an option unknown to run":     {"run|" + good + "|--profile|" + badOption, 3, "option.yaml:5:24: option threads of backend fallback must be a whole number from 0 to 1024, not 9999 (and 1 more); correct it"},
		"an option unknown to plan":    {"plan|" + good + "|--profile|" + badOption, 3, "option.yaml:5:24"},
		"a profile that is not YAML":   {"plan|" + good + "|--profile|" + badYAML, 3, "broken.yaml: … ; correct it"},
		"a profile that is missing":    {"profile|show|" + folder + "/none.yaml", 3, "none.yaml … ; check the path"},
		"a bundle that is missing":     {"generate|a cat|-o|" + picture + "|--bundle|" + folder + "/none.zip", 3, "none.zip … ; check the path"},
		"a folder that is no bundle":   {"bundle|show|" + folder, 3, "bundle.yaml … ; give a bundle: a folder"},
		"a model for a bundle":         {"bundle|show|" + good, 3, "good.tflite … ; give a bundle: a folder"},

		"a bundle to calibrate without a place for it": {"calibrate|pocket", 2, "--output is missing"},
		"a calibrated bundle of another kind":          {"calibrate|pocket|-o|" + folder + "/p.tar", 2, "ends in .zip"},
		"prompts that are missing":                     {"calibrate|pocket|-o|" + folder + "/p.zip|--prompts|" + folder + "/none.txt", 3, "none.txt … ; check the path"},
		"a file without a prompt":                      {"calibrate|pocket|-o|" + folder + "/p.zip|--prompts|" + empty, 3, "holds no prompt; put one on each line"},

		"nothing to compile for":                   {"compile|pocket|-o|" + folder + "/p.zip", 2, "--soc is missing; give the chips' models"},
		"a compiled bundle of another kind":        {"compile|pocket|--soc|SM8750|-o|" + folder + "/p.tar", 2, "ends in .zip"},
		"a profile without an NPU to compile for":  {"compile|pocket|--soc|SM8750|--profile|cpu-go|-o|" + folder + "/p.zip", 3, "no backend with option soc … ; choose qnn"},
		"a compiled bundle in a missing directory": {"compile|pocket|--soc|SM8750|-o|" + folder + "/none/p.zip", 4, "make the directory first"},

		"a bundle with a wrong hash": {"generate|a cat|-o|" + picture + "|--bundle|" + spoilt(t, "denoiser.tflite"), 3, "denoiser.tflite … ; fetch the bundle again"},
		"a spoilt bundle, shown":     {"bundle|show|" + spoilt(t, "spiece.model"), 3, "spiece.model … ; fetch the bundle again"},
		"a spoilt bundle, planned":   {"plan|" + spoilt(t, "decoder.tflite"), 3, "decoder.tflite … ; fetch the bundle again"},
		"a truncated bundle":         {"generate|a cat|-o|" + picture + "|--bundle|" + file(t, "cut.zip", pocketZip(t)[:1<<20]), 3, "cut.zip … the zip is cut short or damaged … ; fetch it again"},

		"a profile that is a folder":     {"profile|check|" + folder, 3, "is not a file; give a .yaml file or the name of a profile"},
		"an input that is a folder":      {"run|" + good + "|--input|x=" + arrayFolder, 3, "folder.npy … ; give a .npy file"},
		"an input that holds texts":      {"run|" + texts, 3, "STRING; choose a model whose inputs are numbers"},
		"a bundle without a part":        {"generate|a cat|-o|" + picture + "|--bundle|" + partless, 3, "denoiser.tflite … ; put it there or fetch the bundle again"},
		"a bundle without a part, shown": {"bundle|show|" + partless, 3, "denoiser.tflite … ; put it there or fetch the bundle again"},
		"a zip that is no bundle":        {"bundle|show|" + file(t, "text.zip", []byte("text")), 3, "text.zip … ; give a bundle: a folder"},
		"outputs behind a file":          {"run|" + good + "|--output|" + good + "/x", 4, "good.tflite is a file; give a directory"},
		"a picture behind a file":        {"generate|a cat|-o|" + good + "/x.png", 4, "good.tflite/x.png … ; write elsewhere, as a part of the path is a file"},
		"a directory for a picture":      {"generate|a cat|-o|" + folder, 4, folder + ": it is a directory; give a file name"},

		"a directory that is missing": {"generate|a cat|-o|" + folder + "/none/p.png", 4, "make the directory first"},
		"outputs into a file":         {"run|" + good + "|--output|" + good, 4, "good.tflite is a file; give a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, strings.Split(c.args, "|")...)
			if code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			rest := stderr
			for want := range strings.SplitSeq(c.want, " … ") {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Errorf("%q lacks %q", stderr, want)
				}
				rest = after
			}
			do := advice(strings.TrimSuffix(stderr, "\n"))
			if do == "" || do == adviceOnInput || do == adviceOnOutput || do == adviceOnFailure {
				t.Errorf("nobody thought of what to do: %q", stderr)
			}
			if !strings.HasPrefix(stderr, "nanoflux: ") || strings.Count(stderr, "\n") != 1 {
				t.Errorf("stderr is not one line: %q", stderr)
			}
			if strings.Contains(stdout, "Usage:") {
				t.Errorf("the help was printed:\n%s", stdout)
			}
			if got := filesIn(t, folder); got != "" {
				t.Errorf("%s was left behind", got)
			}
		})
	}
}
