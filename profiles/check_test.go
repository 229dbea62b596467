package profiles

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// knowsNPU is a BackendCheck that knows the kind npu with the option threads, a
// number up to 8, and the kind go without options.
func knowsNPU(b Backend) (list []Finding) {
	kinds, options := []string{"npu", "go"}, map[string][]string{"npu": {"threads"}, "go": {}}
	if !slices.Contains(kinds, b.Kind) {
		return []Finding{{Message: fmt.Sprintf("kind %q is not known", b.Kind), Word: b.Kind, Valid: kinds}}
	}
	for _, name := range []string{"threads", "thread", "x"} { // not in the file's order
		value, given := b.Options[name]
		switch {
		case !given:
		case !slices.Contains(options[b.Kind], name):
			list = append(list, Finding{Option: name, Message: fmt.Sprintf("no option %q", name), Word: name, Valid: options[b.Kind]})
		case value.(int) > 8:
			list = append(list, Finding{Option: name, Value: true, Message: fmt.Sprintf("%s is %v", name, value)})
		}
	}
	return list
}

func TestFindingsOfChecksHaveTheirPlaceAndTheNearestWord(t *testing.T) {
	tests := []struct {
		name string
		text []string // from line 3
		want []string // mistakes without the file's name
	}{
		{"nothing wrong", []string{"backends:", "  - {kind: npu, options: {threads: 8}}"}, nil},
		{"an unknown kind", []string{"backends:", "  - name: a", "    kind: npo"},
			[]string{`5:11: kind "npo" is not known; did you mean "npu"?`}},
		{"a kind far from all", []string{"backends:", "  - kind: gpgpu4"},
			[]string{`4:11: kind "gpgpu4" is not known; there are go, npu`}},
		{"an unknown option", []string{"backends:", "  - kind: npu", "    options:", "      thread: 1"},
			[]string{`6:7: no option "thread"; did you mean "threads"?`}},
		{"an option of a kind without any", []string{"backends:", "  - {kind: go, options: {x: 1}}"},
			[]string{`4:26: no option "x"`}},
		{"a wrong value", []string{"backends:", "  - kind: npu", "    options:", "      threads:   9"},
			[]string{`6:18: threads is 9`}},
		{"one mistake that two backends share by an alias is one", []string{"backends:", "  - {kind: &k npu, options: &o {threads: 9}}", "  - {name: b, kind: *k, options: *o}"},
			[]string{`4:42: threads is 9`}},
		{"an unknown kind by an alias", []string{"description: &text x", "backends:", "  - kind: *text"},
			[]string{`5:11: kind "x" is not known; there are go, npu`}},
		{"all of them, in the file's order, among the others", []string{
			"backends:",
			"  - kind: npu",
			"    options: {x: 1, thread: 2, threads: 9}",
			"    nam: y",
			"  - {name: b, kind: gu}",
			"rules:",
			"  - op: ADDD",
			"    backend: b",
		}, []string{
			`5:15: no option "x"; there are threads`,
			`5:21: no option "thread"; did you mean "threads"?`,
			`5:41: threads is 9`,
			`6:5: backend 1 has no key "nam"; did you mean "name"?`,
			`7:21: kind "gu" is not known; did you mean "go"?`,
			`9:9: operator type "ADDD" is not known; did you mean "ADD"?`,
		}},
		{"a kind that there is not is no name to suggest, and the one that is meant is", []string{
			"backends:", "  - kind: npo", "  - kind: gpgpu4", "rules:", "  - {op: ADD, backend: npi}", "  - {op: MUL, backend: npu}", "  - {op: SUB, backend: gpgpu5}", "  - {op: NEG, backend: npo}",
		}, []string{
			`4:11: kind "npo" is not known; did you mean "npu"?`,
			`5:11: kind "gpgpu4" is not known; there are go, npu`,
			`7:24: backend "npi" is not known; did you mean "npu"?`,
			`9:24: backend "gpgpu5" is not known; there are npu`,
			`10:24: backend "npo" is not known; did you mean "npu"?`,
		}},
		{"what could not be read is not checked", []string{"backends:", "  - {name: a, kind: [npo]}", "  - {name: b, kind: npu, options: {threads: [9]}}", "  - {name: c, kind: n p o}"},
			[]string{
				`4:21: a backend's kind must be text, not a list`,
				`5:45: option threads must be a number, true, false or text, not a list`,
				`6:21: a backend's kind "n p o" may hold only letters, digits and . _ -, and starts with a letter or digit`,
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := "version: 1\nname: test\n" + lines(test.text...)
			_, err := Parse([]byte(text), "p.yaml", knowsNPU)
			var got []string
			var errs Errors
			if errors.As(err, &errs) {
				for _, e := range errs {
					got = append(got, strings.TrimPrefix(e.Error(), "p.yaml:"))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if (err != nil) != errors.Is(err, ErrInvalid) {
				t.Errorf("%v does not wrap ErrInvalid", err)
			}
			// A profile that is read first and checked later says the same.
			p, first := Parse([]byte(text), "p.yaml")
			if first != nil {
				return
			}
			if later := p.CheckBackends(knowsNPU); fmt.Sprint(later) != fmt.Sprint(err) {
				t.Errorf("later: %v\nwant %v", later, err)
			}
		})
	}
}

func TestChecksOfAProfileWithoutAFileNameTheProfile(t *testing.T) {
	p := &Profile{Name: "mine", Backends: []Backend{{Name: "a", Kind: "npo"}, {Name: "b", Kind: "npu", Line: 7, Options: map[string]any{"threads": 9}}}}
	var errs Errors
	if err := p.CheckBackends(knowsNPU); !errors.As(err, &errs) || len(errs) != 2 {
		t.Fatalf("%v", err)
	}
	want := "profile mine: kind \"npo\" is not known; did you mean \"npu\"?\nprofile mine:7: threads is 9"
	if got := errs.Lines(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
