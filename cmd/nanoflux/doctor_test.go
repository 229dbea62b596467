package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	emulatednpu "nanoflux/delegate/emulated"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// emulated is the path of the emulated NPU's plugin; the test is skipped in
// builds that cannot run it.
func emulated(t *testing.T) string {
	t.Helper()
	if !slices.ContainsFunc(delegate.Kinds(), func(k delegate.Kind) bool { return k.Name == "external" && k.Open != nil }) {
		t.Skip("this build runs no plugins")
	}
	path, ok := emulatednpu.Library(emulatednpu.Plugin)
	if !ok {
		t.Skip("the emulated NPU is not built (ci/emunpu)")
	}
	return path
}

// suggested is the profile that doctor suggests, and its text.
func suggested(t *testing.T, args ...string) (*profiles.Profile, string) {
	t.Helper()
	var found struct{ Suggestion string }
	if err := json.Unmarshal([]byte(ok(t, append([]string{"doctor", "--json"}, args...)...)), &found); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.Parse([]byte(found.Suggestion), "suggestion", partition.CheckBackend)
	if err != nil {
		t.Fatalf("%v in\n%s", err, found.Suggestion)
	}
	path := file(t, "suggestion.yaml", []byte(found.Suggestion))
	if text := ok(t, "profile", "check", path); !strings.Contains(text, "is valid") {
		t.Errorf("profile check: %s", text)
	}
	return p, found.Suggestion
}

func backendNames(p *profiles.Profile) (list []string) {
	for _, b := range p.Backends {
		list = append(list, b.Name)
	}
	return list
}

func TestDoctorSuggestsAProfileThatRuns(t *testing.T) {
	p, text := suggested(t)
	if last := p.Backends[len(p.Backends)-1]; last.Kind != "fallback" {
		t.Errorf("the last is %s in\n%s", last.Kind, text)
	}
	if plain := ok(t, "doctor"); !strings.HasSuffix(plain, "\n\n"+text) {
		t.Errorf("doctor does not end with its suggestion:\n%s", plain)
	}
}

func TestDoctorSuggestsOfAProfileWhatWorksWithItsOptions(t *testing.T) {
	path := file(t, "phone.yaml", []byte(`version: 1
name: phone
backends:
  - {name: gone, kind: external, options: {library: /nowhere/libgone.so}}
  - {name: one, kind: fallback, options: {threads: 1}}
  - {kind: fallback}
rules:
  - {op: ADD, backend: gone}
policy: fallback
`))
	p, text := suggested(t, "--profile", path)
	if p.Name != "phone" || p.Policy != profiles.Fallback || !slices.Equal(backendNames(p), []string{"one", "fallback"}) || p.Backends[0].Options["threads"] != 1 {
		t.Errorf("suggested\n%s", text)
	}
	if !strings.Contains(text, "  # left out: gone: ") || !strings.Contains(text, "# rules and rewrites of ") {
		t.Errorf("suggested\n%s", text)
	}
}

func TestDoctorSuggestsAPluginThatWorks(t *testing.T) {
	path := emulated(t)
	p, text := suggested(t, "--plugin", path, "--plugin-option", "max_partitions=3", "--plugin-option", "min_nodes=1")
	b := p.Backends[0]
	if b.Name != "nanoflux_emunpu" || b.Kind != "external" || b.Options["library"] != path || b.Options["max_partitions"] != 3 || p.Backends[len(p.Backends)-1].Kind != "fallback" {
		t.Errorf("suggested\n%s", text)
	}
	profile := file(t, "suggestion.yaml", []byte(text))
	ran := ok(t, "run", file(t, "model.tflite", model(t)), "--profile", profile, "--verify")
	if !strings.Contains(ran, "nanoflux_emunpu: 2 operators in 1 segment") || !strings.Contains(ran, "all right") {
		t.Errorf("by what was suggested:\n%s", ran)
	}
}

func TestDoctorLeavesOutAPluginThatDoesNotWork(t *testing.T) {
	path := emulated(t)
	for _, test := range []struct{ name, option, why string }{
		{"it computes wrong numbers", "fault=wrong", "self-test: add and multiply: it is off by "},
		{"it crashes", "fault=segv", "its process crashed with SIGSEGV"},
		{"it makes no delegate of these options", "bad=1", "unknown option 'bad'"},
	} {
		p, text := suggested(t, "--plugin", path, "--plugin-option", test.option)
		if slices.Contains(backendNames(p), "nanoflux_emunpu") || !strings.Contains(text, "  # left out: nanoflux_emunpu: ") || !strings.Contains(text, test.why) {
			t.Errorf("%s: suggested\n%s", test.name, text)
		}
	}
}

func TestOneOfTwoPluginsIsSuggested(t *testing.T) {
	path := emulated(t)
	p, text := suggested(t, "--plugin", "/nowhere/libnanoflux_emunpu.so", "--plugin", path)
	if backendNames(p)[0] != "nanoflux_emunpu-2" || !strings.Contains(text, "# left out: nanoflux_emunpu: ") {
		t.Errorf("suggested\n%s", text)
	}
}

func TestWrongPluginOptionsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an option without a plugin":    {[]string{"--plugin-option", "a=1"}, 2, "--plugin that it is for"},
		"an option without a value":     {[]string{"--plugin", "x.so", "--plugin-option", "a"}, 2, "KEY=VALUE"},
		"an option of the wrong type":   {[]string{"--plugin", "x.so", "--plugin-option", "threads=many"}, 3, "threads"},
		"the library as an option":      {[]string{"--plugin", "x.so", "--plugin-option", "library=y.so"}, 2, "KEY=VALUE"},
		"an option with an unknown key": {[]string{"--plugin", "x.so", "--plugin-option", "=1"}, 2, "KEY=VALUE"},
	} {
		code, _, stderr := call(t, append([]string{"doctor"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: code %d, %s", name, code, stderr)
		}
	}
}
