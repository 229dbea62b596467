package ci

import (
	"os"
	"strings"
	"testing"

	"nanoflux/delegate"
	_ "nanoflux/delegate/all"
)

func TestEveryOptionOfEveryBackendIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "## Options of the backends")
	section, _, ends := strings.Cut(section, "\n## ")
	if !found || !ends {
		t.Fatal("docs/profiles.md has no section about options")
	}
	for _, kind := range delegate.Kinds() {
		for _, o := range kind.Options {
			if !strings.Contains(section, "`"+o.Name+"`") {
				t.Errorf("option %s of backend %s is not there", o.Name, kind.Name)
			}
		}
		if len(kind.Options) > 1 && !strings.Contains(section, "`"+kind.Name+"`") {
			t.Errorf("backend %s is not there", kind.Name)
		}
	}
}
