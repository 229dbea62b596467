package support

import (
	"strings"
	"testing"
)

func TestAMistakeInATableIsFound(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"an operator that is none":          {"ADDD|0|27|2|F|", "ADDD is not operator 0"},
		"another operator's number":         {"ADD|1|27|2|F|", "ADD is not operator 1"},
		"an operator twice":                 {"ADD|0|27|2|F|\nADD|0|27|2|F|", "line 3: ADD twice"},
		"a cell too many":                   {"ADD|0|27|2|F||", "7 cells, must be 6"},
		"blanks around a cell":              {"ADD|0|27|2|F |", "blanks"},
		"an empty line":                     {"", "1 cells"},
		"no level":                          {"ADD|0||2|F|", `level ""`},
		"a level that does not exist":       {"ADD|0|26|2|F|", "26"},
		"no version":                        {"ADD|0|27||F|", `version ""`},
		"a version of 0":                    {"ADD|0|27|0|F|", `version "0"`},
		"a lower version for accelerators":  {"ADD|0|27|3 named=2|F|", "3 named=2"},
		"a type that is none":               {"ADD|0|27|2|G|", `no type "G"`},
		"a type twice":                      {"ADD|0|27|2|Q8,I8|", "INT8 twice"},
		"a type from a level that is none":  {"ADD|0|27|2|F@32|", "32"},
		"an operand that is none":           {"ADD|0|27|2|F|rank inn <=4", `no operand "inn"`},
		"an operand beyond all":             {"ADD|0|27|2|F|rank in99 <=4", "in99"},
		"a constraint that is none":         {"ADD|0|27|2|F|ranks in0 <=4", `no constraint "ranks"`},
		"an empty constraint":               {"ADD|0|27|2|F|rank in0 <=4;", "empty"},
		"an argument too few":               {"ADD|0|27|2|F|rank in0", "1 arguments, must be 2"},
		"an argument too many":              {"CONV_2D|3|27|2|F|no-groups in1", "1 arguments, must be 0"},
		"numbers that are none":             {"ADD|0|27|2|F|rank in0 <4", "<4"},
		"a condition that is none":          {"ADD|0|27|2|F|sometimes: rank in0 4", `no condition "sometimes"`},
		"a condition with a wrong level":    {"ADD|0|27|2|F|<26: rank in0 4", "26"},
		"an option that is none":            {"ADD|0|27|2|F|option Stride 1", `no option "Stride"`},
		"options that nobody listed":        {"ABS|101|27|2|F|option Stride 1", "not listed"},
		"an activation that is none":        {"ADD|0|27|2|F|activation SOFT", `no activation "SOFT"`},
		"an operator switched off unsaid":   {"ADD|0|27|2|F|never", "no reason"},
		"more than constraints for all":     {"*|||2||rank in0 4", "constraints only"},
		"a quantity of floats as a range":   {"SOFTMAX|25|27|2|F|option Beta <=4", "not compared"},
		"a name where numbers are compared": {"CONV_2D|3|27|2|F|option StrideH SAME", "SAME"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseRows(columns+"\n"+c.line+"\n", parseLevel)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "line ") {
				t.Errorf("error %v, must have the line and %q", err, c.want)
			}
		})
	}
	if _, err := parseRows("op|code\n", parseLevel); err == nil {
		t.Error("other columns are taken")
	}
	if _, err := parseRows(columns+"\nADD|0|27|2|F|\n", nil); err == nil {
		t.Error("a level is taken where there are none")
	}
}

func TestAMistakeInTheListOfChipsIsFound(t *testing.T) {
	const header = "#model|htp_arch|soc_model_id|lpai\n"
	for _, line := range []string{"|v75|57|", "A|75|57|", "A|v|57|", "A|v75|x|", "A|v75|-1|", "A|v75|57|5", "A|v75|57", "A|v75|1|\nA|v75|2|"} {
		if _, err := parseSoCs(header + line + "\n"); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
	if list, err := parseSoCs(header + "A|v75|57|v6\nB|||\n"); err != nil || len(list) != 2 || list[0] != (SoC{"A", 75, 57, 6}) {
		t.Errorf("%v, %v", list, err)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		text, people string
		has, lacks   []int
	}{
		{"<=4", "at most 4", []int{-7, 0, 4}, []int{5}},
		{">=2", "at least 2", []int{2, 9999}, []int{1, -3}},
		{"3", "3", []int{3}, []int{2, 4}},
		{"2,4", "2 or 4", []int{2, 4}, []int{3}},
		{"2..4", "2 to 4", []int{2, 3, 4}, []int{1, 5}},
	} {
		n, err := parseNumbers(c.text)
		if err != nil || n.String() != c.people {
			t.Errorf("%s: %v, %v", c.text, n, err)
		}
		for _, v := range c.has {
			if !n.has(v) {
				t.Errorf("%s lacks %d", c.text, v)
			}
		}
		for _, v := range c.lacks {
			if n.has(v) {
				t.Errorf("%s has %d", c.text, v)
			}
		}
	}
}
