package diagnosis

import (
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/selftest"
	"nanoflux/partition"
	"nanoflux/profiles"
)

func TestASuggestionIsAValidProfileWhateverWasFound(t *testing.T) {
	good := &selftest.Result{Passed: []string{"add"}}
	works := func(name, kind string, options map[string]any) Backend {
		return Backend{Name: name, Kind: kind, Device: &delegate.Device{}, Test: good, entry: profiles.Backend{Name: name, Kind: kind, Options: options, Deadline: 2.5}}
	}
	evil := Backend{Name: "evil", Kind: "external", Problem: "no\nbackends: []\r\n\x1b[2J" + "  - kind: x", entry: profiles.Backend{Options: map[string]any{"library": "x"}}}
	for name, d := range map[string]Diagnosis{
		"nothing":            {},
		"only what is wrong": {Backends: []Backend{evil}},
		"texts that YAML reads as something else": {Backends: []Backend{
			works("npu", "external", map[string]any{"library": "/a b/#x: y.so", "level": "010", "flag": "yes", "scale": 0.5, "lines": "a\nb"}), evil}},
		"a profile of which nothing works": {profile: &profiles.Profile{Name: "p", File: "a\nb.yaml", Policy: profiles.Fail, Rules: make([]profiles.Rule, 1)}, Backends: []Backend{evil}},
	} {
		text := string(d.Suggestion())
		p, err := profiles.Parse([]byte(text), "suggestion", partition.CheckBackend)
		if err != nil {
			t.Errorf("%s: %v in\n%s", name, err, text)
			continue
		}
		if last := p.Backends[len(p.Backends)-1]; last.Kind != "fallback" {
			t.Errorf("%s: the last backend is %+v", name, last)
		}
		if d.ordered() == nil {
			continue
		}
		got, want := p.Backends[0], d.Backends[0].entry
		if got.Deadline != want.Deadline || len(got.Options) != len(want.Options) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		for key, value := range want.Options {
			if got.Options[key] != value {
				t.Errorf("%s: option %s is %v, want %v", name, key, got.Options[key], value)
			}
		}
	}
}

func TestPluginsGetNamesAndOptions(t *testing.T) {
	list, err := Plugins([]string{"/a/libQnn.so", "b/libQnn.so.2", "/c/lib.so", "d/либ.so"}, []string{"n=3", "on=true", "level=010", "text=a=b", "none="})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list {
		names = append(names, b.Name)
		if library := b.Options["library"].(string); !strings.HasPrefix(library, "/") && !strings.Contains(library, ":") {
			t.Errorf("%s: library %s", b.Name, library)
		}
		if b.Options["n"] != 3 || b.Options["on"] != true || b.Options["level"] != "010" || b.Options["text"] != "a=b" || b.Options["none"] != "" {
			t.Errorf("%s: options %v", b.Name, b.Options)
		}
	}
	if got := strings.Join(names, " "); got != "Qnn Qnn-2 plugin plugin-2" {
		t.Error(got)
	}
}

func TestASimulatedNPUIsNotSuggested(t *testing.T) {
	good := &selftest.Result{Passed: []string{"add"}}
	d := Diagnosis{Backends: []Backend{
		{Name: "qnn", Kind: "qnn", Device: &delegate.Device{Features: []string{delegate.FeatureSimulated}}, Test: good, entry: profiles.Backend{Name: "qnn", Kind: "qnn"}},
		{Name: "litert", Kind: "litert", Device: &delegate.Device{Features: []string{delegate.FeatureCPU}}, Test: good, entry: profiles.Backend{Name: "litert", Kind: "litert"}},
		{Name: "nnapi", Kind: "nnapi", Device: &delegate.Device{}, Test: good, entry: profiles.Backend{Name: "nnapi", Kind: "nnapi"}},
	}}
	text := string(d.Suggestion())
	for _, want := range []string{"  - kind: nnapi\n", "left out: qnn: it works, and is a simulation", "left out: litert: it works, on the CPU only"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "kind: qnn") || strings.Contains(text, "kind: litert") {
		t.Errorf("it suggests them:\n%s", text)
	}
}
