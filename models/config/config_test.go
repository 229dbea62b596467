package config

import (
	"errors"
	"strings"
	"testing"
)

func TestErrorsNameTheKey(t *testing.T) {
	read := func(f *Fields) {
		f.Size("width")
		f.Sizes("axes")
		f.BoolOr("flag", false)
		f.StringOr("kind", "plain")
		f.FloatOr("eps", 1)
		f.Ignore("dropout")
	}
	for _, c := range []struct{ name, json, want string }{
		{"a complete object is read", `{"width": 3, "axes": [1,2], "flag": true, "_note": 1, "dropout": "x"}`, ""},
		{"a missing key is named", `{"axes": [1]}`, `key "width" is missing`},
		{"null counts as missing", `{"width": null, "axes": [1]}`, `key "width" is missing`},
		{"a key of the wrong type is named with its value", `{"width": "wide", "axes": [1]}`, `key "width" is "wide", not a number`},
		{"a fraction is no size", `{"width": 1.5, "axes": [1]}`, `key "width" is 1.5, not a whole number`},
		{"zero is no size", `{"width": 0, "axes": [1]}`, `key "width" is 0`},
		{"an absurd size is refused", `{"width": 1e18, "axes": [1]}`, `key "width" is 1e+18`},
		{"a list element is checked", `{"width": 1, "axes": [1,-2]}`, `key "axes" is -2`},
		{"an unknown key is named", `{"width": 1, "axes": [], "deep": 1}`, `unknown key "deep"`},
		{"many unknown keys are counted", `{"width":1,"axes":[],"a":1,"b":1,"c":1,"d":1,"e":1}`, `"d" and 1 more`},
		{"a wrong flag is named", `{"width":1,"axes":[],"flag":3}`, `key "flag" is 3, not true or false`},
		{"a list is not an object", `[1]`, "not a JSON object"},
		{"null is not an object", `null`, "not a JSON object"},
		{"cut JSON is an error", `{"width": `, "not a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse([]byte(c.json), "x.json")
			if err == nil {
				read(f)
				err = f.Done()
			}
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrConfig) {
				t.Fatalf("error %v, want ErrConfig with %q", err, c.want)
			}
			if !strings.Contains(err.Error(), "x.json") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not name the file on one line", err)
			}
		})
	}
}

func TestAnInnerObjectNamesItsPlace(t *testing.T) {
	f, err := Parse([]byte(`{"encoder": {"blocks": [1], "odd": 1}}`), "vae.json")
	if err != nil {
		t.Fatal(err)
	}
	in := f.Object("encoder")
	in.Sizes("blocks")
	if err := in.Done(); err == nil || !strings.Contains(err.Error(), `vae.json, encoder: unknown key "odd"`) {
		t.Errorf("error %v", err)
	}
	if err := f.Done(); err != nil {
		t.Error(err)
	}
}
