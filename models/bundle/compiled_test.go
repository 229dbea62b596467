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
	c := Compiled{Part: "decoder", Segment: strings.Repeat("ab", 32), Kind: "qnn", SoC: "SM8750", Library: "2.40", File: "compiled/sm8750/decoder.bin"}
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
