package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestManifestMistakesAreNamed(t *testing.T) {
	m, files := small(t)
	m.Limits = []string{"x"}
	m.Compiled = []Compiled{{Part: "decoder", Segment: strings.Repeat("ab", 32), Kind: "qnn", SoC: "SM8750", Library: "2.40", File: "compiled.bin"}}
	files["compiled.bin"] = []byte("code")
	write(t, m, files)
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	line := func(of string) int { return 1 + strings.Count(string(text[:bytes.Index(text, []byte(of))]), "\n") }
	at := func(of string, column int) string {
		return fmt.Sprintf("x/bundle.yaml:%d:%d: ", line(of), column)
	}
	for name, c := range map[string]struct{ old, new, says string }{
		"unknown key":            {"name: small", "nam: small", "x/bundle.yaml:2:1: not a usable bundle: the manifest has no key \"nam\"; did you mean \"name\"?"},
		"unknown inner key":      {"  padding: 0", "  colour: 0", at("  padding:", 3)},
		"key twice":              {"name: small", "name: small\nname: large", "x/bundle.yaml:3:1: not a usable bundle: the manifest has the key \"name\" twice"},
		"missing key":            {"  lowercase: false\n", "", at("  kind: sentence", 3) + "not a usable bundle: tokenizer lacks the key \"lowercase\""},
		"key that is a number":   {"name: small", "7: small", "x/bundle.yaml:2:1: "},
		"text for a number":      {"steps: 4", "steps: many", at("  steps:", 10) + "not a usable bundle: steps must be a whole number, not the text \"many\""},
		"a fraction":             {"steps: 4", "steps: 4.0", "steps must be a whole number"},
		"quoted number":          {"shift: 1", "shift: '1'", "shift must be a number"},
		"number for a text":      {"name: small", "name: 12", "x/bundle.yaml:2:7: "},
		"yes for true":           {"lowercase: false", "lowercase: yes", "lowercase must be true or false"},
		"nothing for a list":     {"  styles:\n", "  styles: ~\n  stiles:\n", "styles must be a list"},
		"text for a list":        {"- none", "none", "licences must be a list, not the text \"none\""},
		"list for a mapping":     {"image:\n", "image: []\nimagine:\n", "image must be a mapping, not a list"},
		"a number too large":     {"padding: 0", "padding: 4294967296", "padding must be a whole number of fewer digits"},
		"a merge":                {"name: small", "<<: {name: small}", "x/bundle.yaml:2:1: "},
		"not YAML":               {"name: small", "name: [", "x/bundle.yaml:"},
		"two documents":          {"limits", "---\nlimits", "second document"},
		"another version":        {"version: 1", "version: 2", "version is 2"},
		"a name of two lines":    {"name: small", "name: \"a\\nb\"", "name is"},
		"a path that leaves":     {"decoder.tflite", "../decoder.tflite", "leaves the bundle"},
		"an absolute path":       {"decoder.tflite", "/decoder.tflite", "leaves the bundle"},
		"a path for Windows":     {"decoder.tflite", "..\\decoder.tflite", "leaves the bundle"},
		"a drive":                {"decoder.tflite", "\"C:decoder.tflite\"", "leaves the bundle"},
		"a path that wanders":    {"decoder.tflite", "a/../decoder.tflite", "leaves the bundle"},
		"a path of two lines":    {"decoder.tflite", "\"a\\nb\"", "leaves the bundle"},
		"the manifest itself":    {"decoder.tflite", "bundle.yaml", "leaves the bundle"},
		"a missing file":         {"file: spiece.model", "file: other.model", "other.model"},
		"a short hash":           {m.Files["spiece.model"].SHA256, "abc", "SHA-256"},
		"no steps":               {"steps: 4", "steps: 0", "steps is 0"},
		"not a number":           {"shift: 1", "shift: .nan", "shift"},
		"code of no part":        {"part: decoder", "part: denoiser", "compiled segment 1 is of part \"denoiser\", which is not under parts"},
		"code of no segment":     {strings.Repeat("ab", 32), "abc", "compiled segment 1: segment is \"abc\", must be a fingerprint"},
		"code for no chip":       {"soc: SM8750", "soc: ''", "compiled segment 1: soc is \"\""},
		"code in no file":        {"file: compiled.bin", "file: other.bin", "compiled segment 1 names file \"other.bin\""},
		"an object without word": {"name: red apple", "name: '!!'", "\"!!\""},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.ReplaceAll(string(text), c.old, c.new)
			if bad == string(text) {
				t.Fatal("nothing was changed")
			}
			_, err := ParseManifest([]byte(bad), "x/bundle.yaml")
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not say %q in one line", err, c.says)
			}
		})
	}
}

func TestAliasesDoNotGrowWithoutEnd(t *testing.T) {
	m, files := small(t)
	m.Limits = []string{"x"}
	write(t, m, files)
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	entry := "{name: a, also: [" + strings.Repeat("b,", 1000) + "]}"
	bad := strings.Replace(string(text), "objects:\n", "objects:\n    - &o "+entry+strings.Repeat("\n    - *o", 200)+"\n", 1)
	if _, err := ParseManifest([]byte(bad), "bundle.yaml"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "too many values") {
		t.Errorf("error %v", err)
	}
}

func FuzzManifest(f *testing.F) {
	m, files := small(f)
	write(f, m, files)
	text, err := m.YAML()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("version: 1\nname: &a x\nparts: {*a : *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data, "bundle.yaml")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("error of more than one line: %q", err)
			}
			return
		}
		m.Recognise("a red apple, 3d")
		// What was read can be written, and read again as the same.
		text, err := m.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseManifest(text, "bundle.yaml")
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if rewritten, err := again.YAML(); err != nil || !bytes.Equal(rewritten, text) {
			t.Fatalf("%v: %s became %s", err, text, rewritten)
		}
	})
}
