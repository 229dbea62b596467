package bundle

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
)

func TestCompiledSegmentsAreAddedToABundle(t *testing.T) {
	m, files := small(t)
	b, err := Read(write(t, m, files), "small.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	contents, err := b.Contents(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	with := *b.Manifest()
	c := Compiled{Part: "decoder", Segment: strings.Repeat("ab", 32), Kind: "qnn", SoC: "SM8750", Library: "QNN 2.40", File: "compiled/sm8750/decoder.bin"}
	with.Compiled = append(with.Compiled, c)
	contents[c.File] = []byte("code")
	again, err := Read(write(t, &with, contents), "compiled.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := again.Manifest().Compiled; !slices.Equal(got, []Compiled{c}) {
		t.Errorf("it lists %v", got)
	}
	if code, err := again.File(c.File); err != nil || !bytes.Equal(code, []byte("code")) {
		t.Errorf("its code is %q, %v", code, err)
	}
	if !bytes.Equal(contents["decoder.tflite"], files["decoder.tflite"]) {
		t.Error("the part is another")
	}
}

func TestCompiledSegmentsAreUsedWhereTheyFit(t *testing.T) {
	a, b := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	m := &Manifest{Name: "small", Compiled: []Compiled{
		{Part: "decoder", Segment: a, Kind: "qnn", SoC: "SM8750", Library: "QNN 2.40", File: "1"},
		{Part: "decoder", Segment: b, Kind: "qnn", SoC: "SM8750", Library: "QNN 2.40", File: "2"},
		{Part: "decoder", Segment: a, Kind: "qnn", SoC: "SM8650", Library: "QNN 2.40", File: "3"},
		{Part: "text_encoder", Segment: a, Kind: "qnn", SoC: "SM8750", Library: "QNN 2.40, HTP 5.51", File: "5"},
		{Part: "decoder", Segment: a, Kind: "litert", SoC: "SM8750", Library: "LiteRT 2.3", File: "4"},
	}}
	for name, c := range map[string]struct{ part, segment, kind, soc, library, file, warning string }{
		"the segment":                   {"decoder", b, "qnn", "SM8750", "QNN 2.40", "2", ""},
		"the chip in small letters":     {"decoder", a, "qnn", "sm8650", "QNN 2.40", "3", ""},
		"the other kind":                {"decoder", a, "litert", "SM8750", "LiteRT 2.3", "4", ""},
		"a part of which nothing is":    {"denoiser", a, "qnn", "SM8750", "QNN 2.40", "", ""},
		"a backend of which nothing is": {"decoder", a, "nnapi", "SM8750", "QNN 2.40", "", ""},
		"another chip":                  {"decoder", a, "qnn", "SM8550", "QNN 2.40", "", "it is for SM8650, SM8750, and this is SM8550"},
		"another library":               {"decoder", a, "qnn", "SM8750", "QNN 2.41, onnxruntime 1.29", "", "it was made by QNN 2.40, and here is QNN 2.41, onnxruntime 1.29"},
		"a library among others":        {"decoder", a, "qnn", "SM8750", "onnxruntime 1.29, QNN 2.40", "1", ""},
		"two libraries":                 {"text_encoder", a, "qnn", "SM8750", "QNN 2.40, HTP 5.51", "5", ""},
		"one library of two is another": {"text_encoder", a, "qnn", "SM8750", "QNN 2.40, HTP 5.52", "", "it was made by QNN 2.40, HTP 5.51, and here is QNN 2.40, HTP 5.52"},
		"a library of unknown version":  {"decoder", a, "qnn", "SM8750", "", "1", ""},
		"a segment that was not made":   {"decoder", strings.Repeat("ef", 32), "qnn", "SM8750", "QNN 2.40", "", "the profile's rewrites and rules make other segments"},
		"a segment of the other chip's": {"decoder", b, "qnn", "SM8650", "QNN 2.40", "", "the profile's rewrites and rules make other segments"},
	} {
		t.Run(name, func(t *testing.T) {
			file, warning := m.Choose(c.part, c.segment, c.kind, c.soc, c.library)
			if file != c.file || !strings.Contains(warning, c.warning) || c.warning == "" && warning != "" {
				t.Errorf("file %q, warning %q", file, warning)
			}
		})
	}
}
