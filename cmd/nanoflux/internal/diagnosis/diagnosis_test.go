package diagnosis

import (
	"slices"
	"testing"

	_ "nanoflux/delegate/all"
	"nanoflux/partition"
	"nanoflux/profiles"
)

func TestEveryKindIsExaminedAndTheGoKernelsWork(t *testing.T) {
	d, err := Examine(t.Context(), nil, nil, partition.Isolation{None: true})
	if err != nil || !d.Usable() || len(d.Profiles) == 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, b := range d.Backends {
		if b.Works() == (b.Problem != "") {
			t.Errorf("%s: works %v, problem %q", b.Name, b.Works(), b.Problem)
		}
		if b.Kind == "external" && b.Problem == "" {
			t.Error("a plugin without a path works")
		}
	}
}

func TestABackendThatDoesNotWorkIsMissedByItsProfiles(t *testing.T) {
	d, err := Examine(t.Context(), nil, nil, partition.Isolation{None: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Profiles {
		if p.Name == "hexagon" && !slices.Contains(p.Missing, "hexagon") || p.Name == "cpu-go" && len(p.Missing) > 0 {
			t.Errorf("%s misses %v", p.Name, p.Missing)
		}
	}
}

func TestTheBackendsOfAProfileAreTestedWithItsOptions(t *testing.T) {
	p, err := profiles.Parse([]byte("version: 1\nname: two\nbackends:\n  - {name: one, kind: fallback, options: {threads: 1}}\n  - {name: gone, kind: external, options: {library: /nowhere/lib.so}}\n"), "two.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Examine(t.Context(), p, nil, partition.Isolation{None: true})
	if err != nil || len(d.Backends) != 2 || !d.Backends[0].Works() || d.Backends[1].Works() || d.Backends[1].Problem == "" || len(d.Profiles) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
