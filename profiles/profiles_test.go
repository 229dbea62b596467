package profiles

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestEveryBuiltinProfileLoads(t *testing.T) {
	want := []string{"coreml", "cpu-go", "hexagon", "litert-qualcomm", "mixed-demo", "mixed-go", "nnapi-29", "nnapi-fl6", "qnn-sm8450", "qnn-sm8550", "qnn-sm8650", "qnn-sm8750", "qnn-sm8850", "qnn-tflite", "qnn", "tflite-cpu", "xnnpack-cpu"}
	if got := Builtin(); !reflect.DeepEqual(got, want) {
		t.Fatalf("profiles %v, want %v", got, want)
	}
	for _, name := range want {
		p, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Name != name || p.Description == "" {
			t.Errorf("%s: name %q, description %q", name, p.Name, p.Description)
		}
	}
}

func TestLoadReadsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte(valid), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "test" || p.File != path {
		t.Errorf("%+v", p)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("nam: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		is         error
		want       string
	}{
		{"an unknown name gets the nearest and the list", "mixed-dmeo", ErrUnknown, `unknown profile "mixed-dmeo"; did you mean "mixed-demo"? There are coreml, cpu-go, hexagon, litert-qualcomm, mixed-demo, mixed-go, nnapi-29`},
		{"a name far from all gets the list", "phone", ErrUnknown, `unknown profile "phone"; there are coreml, cpu-go,`},
		{"a missing file is named", filepath.Join(dir, "none.yaml"), os.ErrNotExist, "none.yaml"},
		{"a folder is no profile", dir, nil, "is not a file"},
		{"a broken file is named with line and column", broken, ErrInvalid, broken + ":1:1: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(test.path)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
}

// TestPatternsMatchLikeTheRegularExpression holds matchPattern against Go's
// regular expressions over every short pattern and text.
func TestPatternsMatchLikeTheRegularExpression(t *testing.T) {
	words := func(letters string, longest int) []string {
		all, last := []string{""}, []string{""}
		for range longest {
			var next []string
			for _, w := range last {
				for _, l := range letters {
					next = append(next, w+string(l))
				}
			}
			all, last = append(all, next...), next
		}
		return all
	}
	texts := words("ab", 5)
	for _, pattern := range words("ab*?", 5) {
		expression := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$")
		for _, text := range texts {
			if got, want := matchPattern(pattern, text), expression.MatchString(text); got != want {
				t.Fatalf("matchPattern(%q, %q) = %v", pattern, text, got)
			}
		}
	}
}

func TestAPatternOfManyStarsIsQuick(t *testing.T) {
	if matchPattern(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 20000)) {
		t.Error("matched")
	}
}

// ruleModel has op 0: FULLY_CONNECTED (float, with constant INT8 weights), op 1:
// CAST to INT64, op 2: a custom operator.
func ruleModel() *graph.Model {
	return &graph.Model{
		Buffers: []graph.Buffer{{}, {1, 2, 3, 4}},
		Subgraphs: []graph.Subgraph{{
			Inputs: []int{0}, Outputs: []int{4},
			Tensors: []graph.Tensor{
				{Name: "x", Type: graph.Float32, Shape: []int{1, 2}},
				{Name: "weights", Type: graph.Int8, Shape: []int{2, 2}, Buffer: 1},
				{Name: "block/0/linear", Type: graph.Float32, Shape: []int{1, 2}},
				{Name: "ids", Type: graph.Int64, Shape: []int{1, 2}},
				{Name: "boxes", Type: graph.Float32, Shape: []int{1, 2}},
			},
			Ops: []graph.Op{
				{Code: schema.BuiltinOperatorFULLY_CONNECTED, Version: 1, Inputs: []int{0, 1, graph.NoTensor}, Outputs: []int{2}},
				{Code: schema.BuiltinOperatorCAST, Version: 1, Inputs: []int{2}, Outputs: []int{3}},
				{Code: schema.BuiltinOperatorCUSTOM, CustomCode: "DetectBoxes", Version: 1, Inputs: []int{3}, Outputs: []int{4}},
			},
		}},
	}
}

func TestRulesMatchOperators(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		part string
		want []bool
	}{
		{"no condition matches all", Rule{}, "", []bool{true, true, true}},
		{"by type of operator", Rule{Ops: []string{"CAST", "ADD"}}, "", []bool{false, true, false}},
		{"any custom operator", Rule{Ops: []string{"CUSTOM"}}, "", []bool{false, false, true}},
		{"a custom operator by pattern", Rule{Ops: []string{"CUSTOM:Detect*"}}, "", []bool{false, false, true}},
		{"another custom operator", Rule{Ops: []string{"CUSTOM:Other"}}, "", []bool{false, false, false}},
		{"by output name", Rule{Names: []string{"block/*"}}, "", []bool{true, false, false}},
		{"input names do not count", Rule{Names: []string{"x"}}, "", []bool{false, false, false}},
		{"by index", Rule{Indices: []Range{{0, 0}, {2, 9}}}, "", []bool{true, false, true}},
		{"by type of input or output", Rule{Types: []graph.TensorType{graph.Int64}}, "", []bool{false, true, true}},
		{"constant inputs do not count", Rule{Types: []graph.TensorType{graph.Int8}}, "", []bool{false, false, false}},
		{"by part", Rule{Parts: []string{"den*"}}, "denoiser", []bool{true, true, true}},
		{"another part", Rule{Parts: []string{"decoder"}}, "denoiser", []bool{false, false, false}},
		{"a part condition needs a part", Rule{Parts: []string{"decoder"}}, "", []bool{false, false, false}},
		{"all conditions must hold", Rule{Ops: []string{"CAST"}, Indices: []Range{{0, 0}}}, "", []bool{false, false, false}},
	}
	m := ruleModel()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for op, want := range test.want {
				if got := test.rule.Matches(m, 0, op, test.part); got != want {
					t.Errorf("operator %d: %v, want %v", op, got, want)
				}
			}
		})
	}
}

func TestSoCIsReadFromWhatTheSystemSays(t *testing.T) {
	root := fstest.MapFS{
		"sys/devices/soc0/machine":           {Data: []byte("PINEAPPLE\n")},
		"sys/devices/soc0/soc_id":            {Data: []byte("557\n")},
		"sys/firmware/devicetree/base/model": {Data: []byte("Board X\x00")},
		"proc/cpuinfo": {Data: []byte("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd80\n\n" +
			"processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd80\n\n" +
			"processor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd82\n\nHardware\t: Qualcomm Technologies, Inc SM8650\n")},
	}
	properties := map[string]string{"ro.soc.model": "SM8650\n", "ro.soc.manufacturer": "QTI\n"}
	got := detect("android/arm64", root, func(key string) string { return properties[key] })
	want := SoC{
		Platform: "android/arm64",
		Facts: []Fact{
			{"soc manufacturer", "QTI", "ro.soc.manufacturer"},
			{"soc model", "SM8650", "ro.soc.model"},
			{"soc machine", "PINEAPPLE", "/sys/devices/soc0/machine"},
			{"soc id", "557", "/sys/devices/soc0/soc_id"},
			{"board", "Board X", "/sys/firmware/devicetree/base/model"},
			{"hardware", "Qualcomm Technologies, Inc SM8650", "/proc/cpuinfo"},
		},
		Cores: []Cores{{"0x41/0xd80", 2}, {"0x41/0xd82", 1}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	fits := []struct {
		name  string
		match Match
		want  bool
	}{
		{"no pattern fits", Match{}, true},
		{"a model", Match{SoC: []string{"SM8550", "sm8650"}}, true},
		{"a pattern", Match{SoC: []string{"*SM86??"}}, true},
		{"another model", Match{SoC: []string{"SM8550"}}, false},
		{"a platform", Match{Platform: []string{"android/*"}}, true},
		{"both must fit", Match{SoC: []string{"SM8650"}, Platform: []string{"linux/*"}}, false},
	}
	for _, test := range fits {
		if got := test.match.Fits(got); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestASystemThatSaysNothingIsNoError(t *testing.T) {
	got := detect("plan9/mips", fstest.MapFS{}, func(string) string { return "" })
	if !reflect.DeepEqual(got, SoC{Platform: "plan9/mips"}) {
		t.Errorf("%+v", got)
	}
	if (Match{SoC: []string{"*"}}).Fits(got) {
		t.Error("a pattern for a name fits a device without names")
	}
}

func TestDetectSoCNamesThePlatform(t *testing.T) {
	if got := DetectSoC(context.Background()).Platform; got != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("platform %q", got)
	}
}
