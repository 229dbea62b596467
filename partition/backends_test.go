package partition

import (
	"context"
	"errors"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/profiles"
)

func init() {
	delegate.Register(delegate.Kind{
		Name: "test-here", Options: []delegate.Option{{Name: "share", Default: 0.5}, {Name: "threads", Default: 1, Max: 64}},
		Open: func(options map[string]any) (delegate.Backend, error) {
			if options["share"].(float64) > 1 {
				return nil, errors.New("share is above 1")
			}
			return fake{name: "test-here"}, nil
		},
	})
	delegate.Register(delegate.Kind{Name: "test-elsewhere", Missing: "build with -tags elsewhere"})
}

func TestOpenBackendsOpensWhatTheProfileNames(t *testing.T) {
	parse := func(backends string) *profiles.Profile {
		p, err := profiles.Parse([]byte("version: 1\nname: t\nbackends:\n"+backends), "p.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	backends, err := OpenBackends(parse("  - {name: a, kind: test-here, options: {share: 1, threads: 3}}\n  - {name: b, kind: test-elsewhere}\n"), Isolation{})
	if err != nil {
		t.Fatal(err)
	}
	if backends["a"].Name() != "test-here" || backends["b"].Name() != "test-elsewhere" {
		t.Errorf("%v", backends)
	}
	if _, err := backends["b"].Probe(context.Background()); !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "-tags elsewhere") {
		t.Errorf("probe: %v", err)
	}
	if r := backends["b"].Supports(nil, 0, 0); r == nil || r.Reason != delegate.ReasonUnavailable || r.Detail != "build with -tags elsewhere" {
		t.Errorf("supports: %v", r)
	}
	if _, err := backends["b"].Compile(context.Background(), nil); !errors.Is(err, delegate.ErrUnavailable) {
		t.Errorf("compile: %v", err)
	}
}

func TestMistakesInBackendsAreThoseOfAProfile(t *testing.T) {
	tests := []struct {
		name, backends string // the backends from line 4
		want           []string
	}{
		{"an unknown kind", "  - {name: a, kind: test-her}\n", []string{`4:21: backend kind "test-her" is not known; did you mean "test-here"?`}},
		{"an unknown option", "  - {kind: test-here, options: {thread: 1}}\n", []string{`4:33: backend test-here has no option "thread"; did you mean "threads"?`}},
		{"an option far from all", "  - {kind: test-here, options: {x: 1}}\n", []string{`4:33: backend test-here has no option "x"; there are share, threads`}},
		{"an option of a kind without any", "  - {kind: test-elsewhere, options: {x: 1}}\n", []string{`4:38: backend test-elsewhere has no option "x"; it has none`}},
		{"a wrong type", "  - {kind: test-here, options: {threads: 1.5}}\n", []string{`4:42: option threads of backend test-here must be a whole number from 0 to 64, not 1.5`}},
		{"a value out of bounds", "  - {kind: test-here, options: {threads: 65}}\n", []string{`4:42: option threads of backend test-here must be a whole number from 0 to 64, not 65`}},
		{"all of them in the file's order", "  - {kind: test-here, options: {threads: 65, shares: 1, share: x}}\n  - {kind: nothing}\n", []string{
			`4:42: option threads of backend test-here must be`, `4:46: backend test-here has no option "shares"`,
			`4:64: option share of backend test-here must be a number, not the text "x"`, `5:12: backend kind "nothing" is not known; there are`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := []byte("version: 1\nname: t\nbackends:\n" + test.backends)
			p, err := profiles.Parse(text, "p.yaml")
			if err != nil {
				t.Fatal(err)
			}
			_, opened := OpenBackends(p, Isolation{})
			_, checked := profiles.Parse(text, "p.yaml", CheckBackend)
			for what, err := range map[string]error{"opened": opened, "checked": checked} {
				var mistakes profiles.Errors
				if !errors.As(err, &mistakes) || len(mistakes) != len(test.want) {
					t.Fatalf("%s: %v", what, err)
				}
				for i, m := range mistakes {
					if !strings.HasPrefix(m.Error(), "p.yaml:"+test.want[i]) {
						t.Errorf("%s: got %v, want %s", what, m, test.want[i])
					}
				}
			}
		})
	}
	t.Run("a value that only the backend refuses", func(t *testing.T) {
		p, err := profiles.Parse([]byte("version: 1\nname: t\nbackends:\n  - {kind: test-here, options: {share: 2}}\n"), "p.yaml", CheckBackend)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBackends(p, Isolation{}); !errors.Is(err, profiles.ErrInvalid) || err.Error() != "p.yaml:4:12: share is above 1" {
			t.Errorf("got %v", err)
		}
	})
}
