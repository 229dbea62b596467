package delegate

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// opened is what Open of the kind test-options got.
var opened map[string]any

func init() {
	Register(Kind{
		Name: "test-options",
		Options: []Option{
			{Name: "threads", Default: 0, Max: 256},
			{Name: "level", Default: -2},
			{Name: "share", Default: 0.5, Min: 0.25, Max: 1},
			{Name: "half", Default: false},
			{Name: "library", Default: "lib.so"},
		},
		Open: func(options map[string]any) (Backend, error) {
			opened = options
			return nil, nil
		},
	})
	Register(Kind{Name: "test-missing", Missing: "get the driver"})
}

func TestOpenFillsInTheDefaults(t *testing.T) {
	given := map[string]any{"share": 1, "threads": 256, "half": true}
	if _, err := Open("test-options", given); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"threads": 256, "level": -2, "share": 1.0, "half": true, "library": "lib.so"}
	if !reflect.DeepEqual(opened, want) {
		t.Errorf("got %v, want %v", opened, want)
	}
	if !reflect.DeepEqual(given, map[string]any{"share": 1, "threads": 256, "half": true}) {
		t.Errorf("the caller's options were changed: %v", given)
	}
}

func TestWrongOptionsSayWhatIsWantedAndWhatCame(t *testing.T) {
	tests := []struct {
		name, option string
		value        any
		want         string
	}{
		{"an unknown name", "thread", 1, `backend test-options has no option "thread"; it has half, level, library, share, threads`},
		{"text in place of a whole number", "level", "two\n", `option level of backend test-options must be a whole number, not the text "two\n"`},
		{"long text", "level", strings.Repeat("é", 100), `not the text "` + strings.Repeat("é", 60) + `"`},
		{"a fraction in place of a whole number", "level", 1.5, `must be a whole number, not 1.5`},
		{"a whole number written as a fraction", "level", 2.0, `must be a whole number, not 2.0`},
		{"true in place of a whole number", "level", true, `must be a whole number, not true`},
		{"a number above the bounds", "threads", 257, `option threads of backend test-options must be a whole number from 0 to 256, not 257`},
		{"a number below the bounds", "threads", -1, `must be a whole number from 0 to 256, not -1`},
		{"a fraction above the bounds", "share", 1.25, `must be a number from 0.25 to 1, not 1.25`},
		{"a whole number below the bounds of a fraction", "share", 0, `must be a number from 0.25 to 1, not 0`},
		{"no number at all", "share", math.NaN(), `must be a number from 0.25 to 1, not NaN`},
		{"infinity", "share", math.Inf(1), `must be a number from 0.25 to 1, not +Inf`},
		{"a number in place of true or false", "half", 1, `option half of backend test-options must be true or false, not 1`},
		{"a number in place of text", "library", 1, `option library of backend test-options must be text, not 1`},
		{"a type that no option has", "library", []string{"a"}, `must be text, not a []string`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for what, err := range map[string]error{
				"Check": Check("test-options", map[string]any{test.option: test.value}),
				"Open":  func() error { _, err := Open("test-options", map[string]any{test.option: test.value}); return err }(),
			} {
				var one *OptionError
				if !errors.As(err, &one) || one.Option != test.option || one.Kind != "test-options" {
					t.Fatalf("%s: %#v", what, err)
				}
				if !strings.HasSuffix(err.Error(), test.want) && err.Error() != test.want {
					t.Errorf("%s: got %s, want %s", what, err, test.want)
				}
				if one.UnknownName() != (test.option == "thread") {
					t.Errorf("%s: an unknown name: %v", what, one.UnknownName())
				}
			}
		})
	}
}

func TestAllWrongOptionsAreReportedInOrder(t *testing.T) {
	err := Check("test-options", map[string]any{"threads": 999, "zeal": 1, "half": "yes", "share": 0.5, "again": 1})
	var wrong OptionErrors
	if !errors.As(err, &wrong) {
		t.Fatalf("%#v", err)
	}
	var names []string
	for _, o := range wrong {
		names = append(names, o.Option)
	}
	if got := strings.Join(names, " "); got != "again half threads zeal" {
		t.Errorf("wrong are %s", got)
	}
	for _, o := range wrong {
		if !strings.Contains(err.Error(), o.Error()) {
			t.Errorf("%q lacks %q", err, o)
		}
	}
}

func TestOptionsAreCheckedForBackendsThatThisBuildLacks(t *testing.T) {
	_, err := Open("test-missing", map[string]any{"threads": 1})
	if errors.Is(err, ErrUnavailable) || err == nil || err.Error() != `backend test-missing has no option "threads"; it has none` {
		t.Errorf("got %v", err)
	}
	if err := Check("test-missing", nil); err != nil {
		t.Errorf("check: %v", err)
	}
	if _, err := Open("test-missing", nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
}

func TestAnUnknownKindListsTheKnownOnes(t *testing.T) {
	_, err := Open("test-optoins", nil)
	var kind *KindError
	if !errors.As(err, &kind) || kind.Kind != "test-optoins" || strings.Join(kind.Known, " ") != "test-missing test-options" {
		t.Fatalf("%#v", err)
	}
	if want := `no backend kind "test-optoins"; there are test-missing, test-options`; err.Error() != want {
		t.Errorf("got %s, want %s", err, want)
	}
}

func TestADefaultOutOfBoundsIsNotRegistered(t *testing.T) {
	for name, o := range map[string]Option{
		"out of bounds":           {Name: "n", Default: 5, Max: 4},
		"of a type without rules": {Name: "n", Default: int64(5)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("registered")
				}
			}()
			Register(Kind{Name: "test-bad", Options: []Option{o}})
		})
	}
}

func TestWhyUnavailableLeavesOutWhatIsSaidAnyway(t *testing.T) {
	_, missing := Open("test-missing", nil)
	for _, test := range []struct {
		err  error
		want string
	}{
		{missing, "get the driver"},
		{fmt.Errorf("npu: %w: no device: plug it in", ErrUnavailable), "no device: plug it in"},
		{fmt.Errorf("no device: %w", ErrUnavailable), "no device: backend not available"},
		{ErrUnavailable, "backend not available"},
		{errors.New("backend not available: says a stranger"), "backend not available: says a stranger"},
	} {
		if got := WhyUnavailable(test.err); got != test.want {
			t.Errorf("of %q: %q, want %q", test.err, got, test.want)
		}
	}
}
