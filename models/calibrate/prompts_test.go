package calibrate

import (
	"slices"
	"testing"

	"nanoflux/models/bundle"
)

func TestPromptsAreSpreadOverWhatABundleKnows(t *testing.T) {
	k := bundle.Knows{
		Objects: []bundle.Object{{Name: "red apple"}, {Name: "green apple"}, {Name: "cat"}, {Name: "rocket"}},
		Styles:  []string{"3d", "flat", "line"}, Backgrounds: []string{"white", "blue"},
	}
	for _, c := range []struct {
		knows bundle.Knows
		n     int
		want  []string
	}{
		{k, 2, []string{"a red apple in 3d style on white", "a cat in flat style on blue"}},
		{bundle.Knows{Objects: k.Objects[:1]}, 2, []string{"a red apple", "a red apple"}},
		{bundle.Knows{Styles: k.Styles}, 2, nil},
	} {
		if got := Prompts(c.knows, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d prompts: %q, want %q", c.n, got, c.want)
		}
	}
	m := &bundle.Manifest{Knows: k}
	for n := range 12 {
		for _, p := range Prompts(k, n) {
			if found, _ := m.Recognise(p); len(found.Objects) != 1 || len(found.Styles) != 1 || len(found.Backgrounds) != 1 {
				t.Errorf("the bundle does not know all of %q: %+v", p, found)
			}
		}
	}
}
