package bundle

import (
	"slices"
	"strings"
	"testing"
)

func TestKnownWordsAreFound(t *testing.T) {
	m, _ := small(t)
	for _, c := range []struct {
		prompt  string
		objects []string
		nearest []string
	}{
		{"a red apple, 3d, on a white background", []string{"red apple"}, nil},
		{"An APPLE!", []string{"red apple"}, nil},
		{"a green apple", []string{"green apple"}, nil},
		{"a plane over a green apple, and another plane", []string{"airplane", "green apple"}, nil},
		{"cup of coffee", []string{"cup of coffee"}, nil},
		{"a cup", nil, []string{"cup of coffee"}},
		{"a plane", []string{"airplane"}, nil},
		{"an appel", nil, []string{"red apple", "green apple"}},
		{"an aeroplane", nil, []string{"airplane"}},
		{"an aple", nil, []string{"red apple", "green apple"}},
		{"a purple dragon", nil, nil},
		{"", nil, nil},
		{strings.Repeat("x ", mostWords) + "apple", nil, nil},
	} {
		r, ok := m.Recognise(c.prompt)
		if !ok || !slices.Equal(r.Objects, c.objects) || !slices.Equal(r.Nearest, c.nearest) {
			t.Errorf("%.60q: objects %v, nearest %v; want %v, %v", c.prompt, r.Objects, r.Nearest, c.objects, c.nearest)
		}
	}
	r, _ := m.Recognise("a green apple, flat, on a red background")
	if !slices.Equal(r.Styles, []string{"flat"}) || !slices.Equal(r.Backgrounds, []string{"red"}) {
		t.Errorf("styles %v, backgrounds %v", r.Styles, r.Backgrounds)
	}
	if _, ok := (&Manifest{}).Recognise("x"); ok {
		t.Error("a model without a list says something")
	}
}
