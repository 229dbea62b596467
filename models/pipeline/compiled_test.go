package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// compiling is the Go backend in the place of one that reads compiled segments.
type compiling struct {
	delegate.Backend
	// given are the codes that segments brought along; refused is what it does
	// not take.
	given   []string
	refused string
}

func (c *compiling) Name() string { return "qnn" }

func (c *compiling) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{Version: "QNN 2.40"}, nil
}

func (c *compiling) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	code, bare := delegate.Compiled(segment, "qnn")
	c.given = append(c.given, string(code))
	if code != nil && string(code) == c.refused {
		return nil, fmt.Errorf("%s is damaged", code)
	}
	return c.Backend.Compile(ctx, bare)
}

func TestSegmentsComeWithTheCodeInTheBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("under an emulator it takes half a minute, and nothing in it differs between machines")
	}
	dir := t.TempDir()
	chip := func(soc string) *profiles.Profile {
		file := filepath.Join(dir, soc+".yaml")
		text := "version: 1\nname: chip\nbackends:\n  - kind: qnn\n    options: {soc: " + soc + "}\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return must[*profiles.Profile](t)(profiles.Load(file))
	}
	open := func(b *bundle.Bundle, soc, refused string) (given, warnings []string) {
		npu := &compiling{Backend: must[delegate.Backend](t)(delegate.Open("fallback", nil)), refused: refused}
		p, err := New(t.Context(), b, Options{Profile: chip(soc), Backends: map[string]delegate.Backend{"qnn": npu}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for _, part := range p.parts {
			warnings = append(warnings, part.runner.Notices()...)
		}
		return npu.given, warnings
	}
	plain := must[*bundle.Bundle](t)(pocket.Open())
	defer plain.Close()
	if given, warnings := open(plain, "SM8750", ""); strings.Join(given, "") != "" || len(warnings) > 0 {
		t.Fatalf("without code: %q, %q", given, warnings)
	}

	contents := must[map[string][]byte](t)(plain.Contents(t.Context()))
	m := *plain.Manifest()
	for _, part := range []string{PartDenoiser, PartDecoder} {
		model := must[*graph.Model](t)(plain.Model(part))
		plan := &compiling{Backend: must[delegate.Backend](t)(delegate.Open("fallback", nil))}
		fingerprint := ""
		p, err := newPart(t.Context(), part, model, chip("SM8750"), map[string]delegate.Backend{"qnn": recording{plan, &fingerprint}}, exec.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p.runner.Close()
		file := "compiled/" + part
		m.Compiled = append(m.Compiled, bundle.Compiled{Part: part, Segment: fingerprint, Kind: "qnn", SoC: "SM8750", Library: "QNN 2.40", File: file})
		contents[file] = []byte("code of " + part)
	}
	path := filepath.Join(dir, "compiled.zip")
	if err := bundle.WriteFile(path, &m, contents); err != nil {
		t.Fatal(err)
	}
	with := must[*bundle.Bundle](t)(bundle.Open(path))
	defer with.Close()

	given, warnings := open(with, "sm8750", "")
	if !slices.Equal(given, []string{"", "", "code of denoiser", "code of decoder"}) || len(warnings) > 0 {
		t.Errorf("the backend was given %q, warnings %q", given, warnings)
	}
	given, warnings = open(with, "SM8650", "")
	if strings.Join(given, "") != "" || len(warnings) != 2 || !strings.Contains(warnings[0], "it is for SM8750, and this is SM8650") {
		t.Errorf("another chip was given %q, warnings %q", given, warnings)
	}
	given, warnings = open(with, "SM8750", "code of denoiser")
	if !slices.Equal(given, []string{"", "", "code of denoiser", "", "code of decoder"}) || len(warnings) != 1 || !strings.Contains(warnings[0], "code of denoiser is damaged") {
		t.Errorf("with damaged code the backend was given %q, warnings %q", given, warnings)
	}
}

// recording notes the fingerprint of the segment that it compiles.
type recording struct {
	*compiling
	fingerprint *string
}

func (r recording) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	*r.fingerprint = segment.Fingerprint()
	return r.compiling.Compile(ctx, segment)
}
