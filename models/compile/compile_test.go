package compile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate"
	_ "nanoflux/delegate/all"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/pipeline"
	"nanoflux/profiles"
)

// The NPU of these tests: its compiler takes no GELU, does not know so before, and
// crashes, hangs and goes missing on request.
func init() {
	delegate.Register(delegate.Kind{
		Name: "testnpu", Summary: "for tests", Vendor: true,
		Options: []delegate.Option{
			{Name: "soc", Default: "T1", Help: "the chip", OneOf: []string{"T1", "T2"}},
			{Name: "behave", Default: "", Help: "how it misbehaves"},
		},
		Open: func(o map[string]any) (delegate.Backend, error) {
			return &npu{Backend: fallback.New(fallback.Options{}), soc: o["soc"].(string), behave: o["behave"].(string)}, nil
		},
	})
	delegate.Register(delegate.Kind{
		Name: "testcpu", Summary: "for tests", Vendor: true,
		Options: []delegate.Option{{Name: "soc", Default: "", Help: "the chip"}},
		Open:    func(map[string]any) (delegate.Backend, error) { return fallback.New(fallback.Options{}), nil },
	})
}

type npu struct {
	delegate.Backend
	soc, behave string
}

func (n *npu) Name() string { return "testnpu" }

func (n *npu) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{Description: "a test", Version: "Test 1.0"}, nil
}

func (n *npu) Precompile(_ context.Context, segment *graph.Model) (*delegate.Precompiled, error) {
	switch n.behave {
	case "crash":
		fmt.Fprintln(os.Stderr, "the end is near")
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "missing":
		return nil, fmt.Errorf("testnpu: %w: no library; put it there", delegate.ErrUnavailable)
	case "nothing":
		return &delegate.Precompiled{Library: "Test 1.0"}, nil
	}
	p := &delegate.Precompiled{Library: "Test 1.0", Operators: len(segment.Subgraphs[0].Ops)}
	for i, op := range segment.Subgraphs[0].Ops {
		if op.Code == schema.BuiltinOperatorGELU {
			p.Left = append(p.Left, delegate.LeftOperator{Op: i, Reason: "no GELU here"})
		}
	}
	if len(p.Left) == 0 {
		fmt.Println("a vendor's library prints what it likes")
		p.Code = []byte(n.soc + " " + segment.Fingerprint())
	}
	return p, nil
}

// serving has this test program be the other process.
const serving = "NANOFLUX_TEST_COMPILER"

func TestMain(m *testing.M) {
	if os.Getenv(serving) != "" {
		if err := Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func options(t *testing.T, settings string, socs ...string) Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.yaml")
	text := "version: 1\nname: test\nbackends:\n  - name: npu\n    kind: testnpu\n    options: {" + settings + "}\n  - kind: fallback\npolicy: warn\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(serving, "1")
	command := append(strings.Fields(os.Getenv("NANOFLUX_TEST_EMULATOR")), os.Args[0])
	return Options{Profile: p, SoCs: socs, Command: command}
}

func opened(t *testing.T) *bundle.Bundle {
	t.Helper()
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestABundleIsCompiledAroundWhatTheCompilerRefuses(t *testing.T) {
	b := opened(t)
	o := options(t, "", "T1", "T2")
	m, files, report, err := Bundle(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	model, err := b.Model(pipeline.PartDenoiser)
	if err != nil {
		t.Fatal(err)
	}
	gelus := 0
	for _, op := range model.Subgraphs[0].Ops {
		if op.Code == schema.BuiltinOperatorGELU {
			gelus++
		}
	}
	for _, soc := range o.SoCs {
		segments, elsewhere := 0, 0
		for _, s := range report.Segments {
			if s.SoC == soc && s.Part == pipeline.PartDenoiser {
				segments++
			}
			if s.Problem != "" || s.Size == 0 || s.Library != "Test 1.0" || s.Took <= 0 {
				t.Errorf("segment %+v", s)
			}
		}
		for _, e := range report.Elsewhere {
			if e.SoC == soc && e.Part == pipeline.PartDenoiser {
				elsewhere++
				if e.Backend != "fallback" || !strings.Contains(e.Reason, "no GELU here") || !strings.Contains(e.Op, "GELU") {
					t.Errorf("elsewhere: %+v", e)
				}
			}
		}
		if elsewhere != gelus || segments < 2 {
			t.Errorf("%s: %d of %d GELUs elsewhere, %d segments", soc, elsewhere, gelus, segments)
		}
	}
	var zip bytes.Buffer
	if err := bundle.Write(&zip, m, files); err != nil {
		t.Fatal(err)
	}
	with, err := bundle.Read(zip.Bytes(), "compiled.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	if len(m.Compiled) != len(report.Segments) {
		t.Errorf("%d compiled segments in the manifest, %d in the report", len(m.Compiled), len(report.Segments))
	}
	for _, c := range with.Manifest().Compiled {
		code, err := with.File(c.File)
		if err != nil || string(code) != c.SoC+" "+c.Segment {
			t.Errorf("%s holds %q, %v", c.File, code, err)
		}
	}

	// Compiled again for one chip, the other's code stays.
	o = options(t, "", "T1")
	again, files, _, err := Bundle(t.Context(), with, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, soc := range []string{"T1", "T2"} {
		n := func(m *bundle.Manifest) (n int) {
			for _, c := range m.Compiled {
				if _, there := files[c.File]; there && c.SoC == soc {
					n++
				}
			}
			return n
		}
		if n(again) != n(m) {
			t.Errorf("%s: %d segments after compiling again, %d before", soc, n(again), n(m))
		}
	}
}

func TestACompilerThatFailsCostsItsSegment(t *testing.T) {
	b := opened(t)
	for behave, says := range map[string]string{
		"crash":   "exit status 3; it said last: the end is near",
		"hang":    "longer than 300ms",
		"nothing": "takes nothing of it",
	} {
		t.Run(behave, func(t *testing.T) {
			o := options(t, "behave: "+behave, "T1")
			if behave == "hang" {
				o.Deadline = 300 * time.Millisecond
			}
			m, files, report, err := Bundle(t.Context(), b, o)
			if err != nil {
				t.Fatal(err)
			}
			if report.Compiled() != 0 || len(m.Compiled) != 0 || slices.ContainsFunc(keys(files), func(f string) bool { return strings.HasPrefix(f, "compiled/") }) {
				t.Errorf("something was compiled: %v", m.Compiled)
			}
			for _, s := range report.Segments {
				if !strings.Contains(s.Problem, says) || strings.Contains(s.Problem, "\n") {
					t.Errorf("problem %q does not say %q in one line", s.Problem, says)
				}
			}
		})
	}
}

func TestWhatCannotCompileIsAnErrorBeforeAnyWork(t *testing.T) {
	b := opened(t)
	if _, _, _, err := Bundle(t.Context(), b, options(t, "behave: missing", "T1")); !errors.Is(err, delegate.ErrUnavailable) || !strings.HasSuffix(err.Error(), "no library; put it there") {
		t.Errorf("without the compiler: %v", err)
	}
	p := options(t, "").Profile
	if err := CheckSoC(p, "T1"); err != nil {
		t.Error(err)
	}
	if err := CheckSoC(p, "T9"); err == nil || !strings.Contains(err.Error(), "T1, T2") {
		t.Errorf("an unknown chip: %v", err)
	}
	cpu, err := profiles.Load("cpu-go")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckSoC(cpu, "T1"); err == nil || !strings.Contains(err.Error(), "no backend with option soc") {
		t.Errorf("a profile without an NPU: %v", err)
	}
	p.Backends[0].Kind = "testcpu"
	p.Backends[0].Options = nil
	if err := CheckSoC(p, "T1"); err == nil || !strings.Contains(err.Error(), "compiles nothing ahead of time") {
		t.Errorf("a backend that does not compile: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := Bundle(ctx, b, options(t, "", "T1")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}

func keys(files map[string][]byte) (names []string) {
	for name := range files {
		names = append(names, name)
	}
	return names
}
