package profiles

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"nanoflux/graph"
)

// lines joins lines of YAML; it keeps the tables below readable.
func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

// valid is a profile that tests change in one place.
var valid = lines(
	"version: 1",
	"name: test",
	"backends:",
	"  - name: npu",
	"    kind: tflite",
	"  - kind: fallback",
)

func TestParseReadsEveryKey(t *testing.T) {
	p, err := Parse([]byte(lines(
		"version: 1",
		"name: phone-1.x_y",
		"description: all of it",
		"match:",
		"  soc: [SM8650*, 'Tensor G?']",
		"  platform: android/arm64",
		"backends:",
		"  - name: npu",
		"    kind: tflite",
		"    options: {threads: 2, xnnpack: true, library: lib.so, share: 0.5}",
		"  - kind: fallback",
		"    trusted: true",
		"    deadline: 2.5",
		"rewrites: [expand-gelu, fold-dequantize]",
		"rules:",
		"  - op: [SOFTMAX, 'CUSTOM:My*']",
		"    name: '*/attention/*'",
		"    index: [3, 5-7, 20-]",
		"    type: [FLOAT32, INT8]",
		"    part: [denoiser, text_*]",
		"    backend: [fallback, npu]",
		"    because: it is faster there",
		"  - type: INT64",
		"    avoid: npu",
		"policy: fail",
	)), "all.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{
		Version: 1, Name: "phone-1.x_y", Description: "all of it", File: "all.yaml",
		Match: Match{SoC: []string{"SM8650*", "Tensor G?"}, Platform: []string{"android/arm64"}},
		Backends: []Backend{
			{
				Name: "npu", Kind: "tflite", Line: 8, Options: map[string]any{"threads": 2, "xnnpack": true, "library": "lib.so", "share": 0.5},
				at: places{kind: Position{9, 11}, options: map[string]optionPlace{
					"threads": {Position{10, 15}, Position{10, 24}}, "xnnpack": {Position{10, 27}, Position{10, 36}},
					"library": {Position{10, 42}, Position{10, 51}}, "share": {Position{10, 59}, Position{10, 66}},
				}},
			},
			{Name: "fallback", Kind: "fallback", Line: 11, Trusted: true, Deadline: 2.5, Options: map[string]any{}, at: places{kind: Position{11, 11}}},
		},
		Rewrites: []string{"expand-gelu", "fold-dequantize"},
		Rules: []Rule{
			{
				Ops: []string{"SOFTMAX", "CUSTOM:My*"}, Names: []string{"*/attention/*"},
				Indices: []Range{{3, 3}, {5, 7}, {20, 1<<31 - 1}}, Types: []graph.TensorType{graph.Float32, graph.Int8},
				Parts: []string{"denoiser", "text_*"}, Backends: []string{"fallback", "npu"},
				Because: "it is faster there", Line: 16,
			},
			{Types: []graph.TensorType{graph.Int64}, Avoid: []string{"npu"}, Line: 23},
		},
		Policy: Fail,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
}

func TestTheDefaultPolicyWarns(t *testing.T) {
	p, err := Parse([]byte(valid), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Policy != Warn {
		t.Errorf("policy %q", p.Policy)
	}
}

func TestMistakesAreReportedWithTheirPlaceAndTheNearestWord(t *testing.T) {
	rule := func(l ...string) string { return valid + "rules:\n" + lines(l...) }
	tests := []struct {
		name, text, want string
	}{
		{"an unknown key at the top", "verzion: 1\n" + valid, `p.yaml:1:1: a profile has no key "verzion"; did you mean "version"?`},
		{"an unknown key in a backend", valid + "    option: {}\n", `p.yaml:7:5: backend 2 has no key "option"; did you mean "options"?`},
		{"an unknown key in match", valid + "match:\n  sock: x\n", `p.yaml:8:3: match has no key "sock"; did you mean "soc"?`},
		{"an unknown key in a rule", rule("  - ops: ADD", "    backend: npu"), `p.yaml:8:5: rule 1 has no key "ops"; did you mean "op"?`},
		{"a key far from all lists them", valid + "match:\n  xyzzy: x\n", `p.yaml:8:3: match has no key "xyzzy"; there are platform, soc`},
		{"a merge key is no key", valid + "<<: {policy: warn}\n", `p.yaml:7:1: a profile has no key "<<"; there are`},
		{"a key given twice", valid + "name: other\n", `p.yaml:7:1: key "name" is given twice in a profile, first on line 2`},
		{"a missing key", "version: 1\nname: x\n", `p.yaml:1:1: a profile lacks the key "backends"`},
		{"a backend without kind", lines("version: 1", "name: x", "backends:", "  - name: a"), `p.yaml:4:5: backend 1 lacks the key "kind"`},
		{"a list in place of text", strings.Replace(valid, "test", "[a]", 1), `p.yaml:2:7: the profile's name must be text, not a list`},
		{"a number in place of text", strings.Replace(valid, "test", "12", 1), `p.yaml:2:7: the profile's name must be text, not the number 12; put it in quotes`},
		{"a mapping in place of a list", strings.Split(valid, "backends")[0] + "backends: {}\n", `p.yaml:3:11: backends must be a list, not a mapping`},
		{"a list in place of a mapping", valid + "match: [a]\n", `p.yaml:7:8: match must be a mapping, not a list`},
		{"text in place of a number", strings.Replace(valid, "1", "one", 1), `p.yaml:1:10: version must be a whole number, not the text "one"`},
		{"a number that no int holds", strings.Replace(valid, "1", "99999999999999999999", 1), `p.yaml:1:10: version must be a whole number, not the number 99999999999999999999`},
		{"a list at the top", "- a\n", `p.yaml:1:1: a profile must be a mapping, not a list`},
		{"text at the top", "hello\n", `p.yaml:1:1: a profile must be a mapping, not the text "hello"`},
		{"a value of a foreign type at the top", "!a |\n b\n c\n", `p.yaml:1:1: a profile must be a mapping, not the value "b c "`},
		{"a number of two lines", strings.Replace(valid, "test", "!!int |\n  1\n  2", 1), `p.yaml:2:7: the profile's name must be text, not the number 1 2`},
		{"a newer version", strings.Replace(valid, "1", "2", 1), `p.yaml:1:10: version 2 is newer than this program, which reads version 1`},
		{"version zero", strings.Replace(valid, "1", "0", 1), `p.yaml:1:10: version is 0; it must be from 1`},
		{"a name with a space", strings.Replace(valid, "test", "a b", 1), `p.yaml:2:7: the profile's name "a b" may hold only letters`},
		{"an empty name", strings.Replace(valid, "test", "''", 1), `p.yaml:2:7: the profile's name is empty`},
		{"no backends", strings.Split(valid, "backends")[0] + "backends: []\n", `p.yaml:3:11: backends is empty`},
		{"two backends of one name", valid + "  - kind: fallback\n", `p.yaml:7:5: backend name "fallback" is taken by the backend on line 6`},
		{"an option that is a list", valid + "    options: {a: [1]}\n", `p.yaml:7:18: option a must be a number, true, false or text, not a list`},
		{"an option without value", valid + "    options:\n      a:\n", `p.yaml:8:9: option a must be a number, true, false or text, not nothing`},
		{"an option given twice", valid + "    options: {a: 1, a: 2}\n", `p.yaml:7:21: option "a" is given twice`},
		{"trust that is no yes or no", valid + "    trusted: often\n", `p.yaml:7:14: trusted must be true or false, not the text "often"`},
		{"a deadline in words", valid + "    deadline: soon\n", `p.yaml:7:15: deadline must be a number of seconds, above 0 and at most 86400, not the text "soon"`},
		{"a deadline of nothing", valid + "    deadline: 0\n", `p.yaml:7:15: deadline must be a number of seconds, above 0 and at most 86400, not the number 0`},
		{"a deadline that is no number", valid + "    deadline: .nan\n", `p.yaml:7:15: deadline must be a number of seconds`},
		{"an unknown rewrite", valid + "rewrites: [expand-gelu, fold-dequantise]\n", `p.yaml:7:25: rewrite "fold-dequantise" is not known; did you mean "fold-dequantize"?`},
		{"a rewrite twice", valid + "rewrites: [expand-gelu, expand-gelu]\n", `p.yaml:7:25: rewrite "expand-gelu" is listed twice`},
		{"rewrites that undo each other", valid + "rewrites: [conv-to-fully-connected, fully-connected-to-conv]\n", `p.yaml:7:11: rewrites: fully-connected-to-conv and conv-to-fully-connected undo each other; leave one out`},
		{"a rewrite that is no text", valid + "rewrites: 3\n", `p.yaml:7:11: rewrite must be text`},
		{"no rewrites", valid + "rewrites: []\n", `p.yaml:7:11: rewrites is an empty list; leave the key out instead`},
		{"an unknown policy", valid + "policy: fial\n", `p.yaml:7:9: policy "fial" is not known; did you mean "fail"?`},
		{"an unknown backend in a rule", rule("  - op: ADD", "    backend: npy"), `p.yaml:9:14: backend "npy" is not known; did you mean "npu"?`},
		{"an unknown backend to avoid", rule("  - op: ADD", "    avoid: [npu, gpu]"), `p.yaml:9:18: backend "gpu" is not known; did you mean "npu"?`},
		{"a backend listed twice", rule("  - backend: [npu, npu]"), `p.yaml:8:20: backend "npu" is listed twice`},
		{"an unknown operator", rule("  - op: CONV2D", "    backend: npu"), `p.yaml:8:9: operator type "CONV2D" is not known; did you mean "CONV_2D"?`},
		{"an operator in small letters", rule("  - op: [ADD, softmax]", "    backend: npu"), `p.yaml:8:15: operator type "softmax" is not known; did you mean "SOFTMAX"?`},
		{"a custom operator without name", rule("  - op: 'CUSTOM:'", "    backend: npu"), `p.yaml:8:9: operator type "CUSTOM:" is not known; did you mean "CUSTOM"?`},
		{"an unknown element type", rule("  - type: FLOAT", "    backend: npu"), `p.yaml:8:11: element type "FLOAT" is not known; did you mean "FLOAT16"?`},
		{"an index below zero", rule("  - index: -1", "    backend: npu"), `p.yaml:8:12: index is -1; it must be from 0`},
		{"an index that is no number", rule("  - index: a-b", "    backend: npu"), `p.yaml:8:12: index must be a number (7), a range (3-9) or a list of these, not the text "a-b"`},
		{"an index range upside down", rule("  - index: 9-3", "    backend: npu"), `p.yaml:8:12: index 9-3 ends before it starts`},
		{"an index out of range", rule("  - index: 1-99999999999", "    backend: npu"), `p.yaml:8:12: index 1-99999999999 is too large`},
		{"an empty condition", rule("  - op: []", "    backend: npu"), `p.yaml:8:9: op is an empty list; leave the key out instead`},
		{"a rule that says nothing", rule("  - op: ADD"), `p.yaml:8:5: rule 1 says neither backend nor avoid`},
		{"a rule that says too much", rule("  - backend: npu", "    avoid: fallback"), `p.yaml:8:5: rule 1 says both backend and avoid`},
		{"an empty file", "", `p.yaml: the file is empty`},
		{"a file of comments", "# nothing\n", `p.yaml: the file is empty`},
		{"two documents", valid + "---\n" + valid, `a second YAML document starts here`},
		{"no YAML", "version: [1\nname: x\n", `p.yaml:`},
		{"an unknown anchor", valid + "policy: *none\n", `unknown anchor 'none'`},
		{"a huge file", strings.Repeat("#", MaxSize+1), `p.yaml: the file has 1048577 bytes; a profile has at most 1048576`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse([]byte(test.text), "p.yaml")
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

func TestAllMistakesAreFoundInTheOrderOfTheFile(t *testing.T) {
	_, err := Parse([]byte(lines(
		"name: [x]",
		"policy: maybe",
		"backends:",
		"  - kind: fallback",
		"    threads: 2",
	)), "p.yaml")
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("%T: %v", err, err)
	}
	want := lines(
		`p.yaml:1:1: a profile lacks the key "version"`,
		`p.yaml:1:7: the profile's name must be text, not a list`,
		`p.yaml:2:9: policy "maybe" is not known; there are fail, fallback, warn`,
		`p.yaml:5:5: backend 1 has no key "threads"; there are deadline, kind, name, options, trusted`,
	)
	if got := errs.Lines() + "\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if !strings.HasSuffix(err.Error(), "(and 3 more)") || strings.Contains(err.Error(), "\n") {
		t.Errorf("not one line: %q", err)
	}
}

func TestAliasesAreFollowed(t *testing.T) {
	p, err := Parse([]byte(valid+lines(
		"rules:",
		"  - op: &norms [MEAN, RSQRT]",
		"    backend: &first [fallback]",
		"  - op: *norms",
		"    index: 4",
		"    avoid: *first",
	)), "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Rules[1]; !reflect.DeepEqual(got.Ops, []string{"MEAN", "RSQRT"}) || !reflect.DeepEqual(got.Avoid, []string{"fallback"}) {
		t.Errorf("rule 2 is %+v", got)
	}
}

func TestAliasesCannotMakeASmallFileLarge(t *testing.T) {
	// 1,000 rules that each use a list of 2,000 operators.
	text := valid + "rules:\n  - op: &ops [" + strings.Repeat("ADD,", 2000) + "]\n    backend: npu\n" +
		strings.Repeat("  - {op: *ops, backend: npu}\n", 1000)
	_, err := Parse([]byte(text), "p.yaml")
	if err == nil || !strings.Contains(err.Error(), "too many values") {
		t.Fatalf("got %v", err)
	}
}

func TestAnAliasInsideItsOwnAnchorIsAnError(t *testing.T) {
	for _, text := range []string{
		"&a [*a]\n",
		"version: 1\nname: x\nbackends: &b\n  - *b\n",
		valid + "rules: &r\n  - op: &o [*o]\n    backend: npu\n",
		valid + "match: &m\n  soc: *m\n",
	} {
		if _, err := Parse([]byte(text), "p.yaml"); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestMistakesBeyondTheLimitAreNotCollected(t *testing.T) {
	var errs Errors
	_, err := Parse([]byte(valid+"rules:\n"+strings.Repeat("  - op: NOPE\n", 500)), "p.yaml")
	if !errors.As(err, &errs) || len(errs) != maxErrors {
		t.Fatalf("%d mistakes: %v", len(errs), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Builtin() {
		data, _, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(valid + "rules:\n  - {op: &a [ADD], index: [1, 2-3, 4-], name: 'a*', type: INT8, backend: npu}\n  - {op: *a, avoid: npu}\n"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, "p.yaml")
		if err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%T, %q", err, err)
			}
			return
		}
		// What a valid profile promises to the partitioner.
		if p.Version != FormatVersion || p.Name == "" || len(p.Backends) == 0 {
			t.Fatalf("%+v", p)
		}
		names := map[string]bool{}
		for _, b := range p.Backends {
			if b.Kind == "" || names[b.Name] {
				t.Fatalf("backend %+v", b)
			}
			names[b.Name] = true
			for option := range b.Options {
				for _, f := range []Finding{{}, {Option: option}, {Option: option, Value: true}} {
					if at := b.position(f); at.Line < 1 || at.Column < 1 {
						t.Fatalf("%+v of backend %+v stands at %v", f, b, at)
					}
				}
			}
		}
		for _, r := range p.Rules {
			if (len(r.Backends) == 0) == (len(r.Avoid) == 0) {
				t.Fatalf("rule %+v", r)
			}
			for _, b := range append(r.Backends, r.Avoid...) {
				if !names[b] {
					t.Fatalf("rule names %q", b)
				}
			}
			for _, i := range r.Indices {
				if i.First < 0 || i.Last < i.First {
					t.Fatalf("range %+v", i)
				}
			}
		}
	})
}
