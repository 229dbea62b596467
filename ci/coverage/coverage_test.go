package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/flux"
	"nanoflux/models/nanoflux"
	"nanoflux/models/weights"
	"nanoflux/partition"
)

// table is measured once for all tests.
var table = sync.OnceValues(func() ([]row, error) { return measureAll(context.Background()) })

func rowsOf(t *testing.T) []row {
	t.Helper()
	rows, err := table()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// bars are what every denoiser must reach with rewrites.
var bars = map[string]struct {
	// all and outside are the least shares of all MACs and of those outside
	// attention; segments is the most of the whole model, 0 for any.
	all, outside float64
	segments     int
}{
	"coreml":     {outside: 0.95},
	"hexagon":    {outside: 0.95},
	"nnapi-29":   {outside: 0.95},
	"nnapi-fl6":  {all: 0.95, outside: 0.95},
	"qnn-tflite": {all: 0.95, outside: 0.95, segments: 1},
}

func TestEveryDelegateTakesItsShareOfTheDenoiser(t *testing.T) {
	const mostOfOneBlock = 4
	seen := 0
	for _, r := range rowsOf(t) {
		bar, ok := bars[r.target.profile]
		if !ok || !strings.HasPrefix(r.subject.part, "denoiser") {
			continue
		}
		seen++
		name := r.subject.family + ", " + r.subject.part + ", " + r.target.title
		c := r.with
		if c.all < bar.all || c.outside < bar.outside {
			t.Errorf("%s: %.3f of all and %.3f outside attention, must be %v and %v; left: %s", name, c.all, c.outside, bar.all, bar.outside, r.left())
		}
		if c.perBlock < 1 || c.perBlock > mostOfOneBlock {
			t.Errorf("%s: a block is in %d segments, must be 1 to %d", name, c.perBlock, mostOfOneBlock)
		}
		if bar.segments > 0 && c.segments > bar.segments {
			t.Errorf("%s: %d segments, at most %d", name, c.segments, bar.segments)
		}
	}
	if want := 3 * len(bars); seen != want { // pocket, and NanoFLUX in two sizes
		t.Errorf("%d rows were looked at, want %d", seen, want)
	}
}

func TestThePageHasWhatIsMeasured(t *testing.T) {
	page, err := os.ReadFile("../../docs/coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != markdown(rowsOf(t)) {
		t.Error("docs/coverage.md is not what the tables say; make coverage-table")
	}
}

func TestRewritesNeverLoseWhatADelegateTakes(t *testing.T) {
	for _, r := range rowsOf(t) {
		if r.with.all < r.plain.all || r.with.outside < r.plain.outside {
			t.Errorf("%s %s on %s: the share falls from %.3f to %.3f", r.subject.family, r.subject.part, r.target.title, r.plain.all, r.with.all)
		}
	}
}

func TestTheTrueSizeIsThePublishedOne(t *testing.T) {
	elements := func(list []weights.Spec, skip func(string) bool) (n int) {
		for _, s := range list {
			if e, err := graph.Elements(s.Shape); err == nil && !skip(s.Name) {
				n += e
			}
		}
		return n
	}
	// 1.763 billion without the modulation, which is a table (Static-LN).
	modulation := func(name string) bool {
		return strings.Contains(name, "norm") || strings.Contains(name, "time_text_embed")
	}
	if n := elements(nanoflux.Denoiser.Tensors(), modulation); n < 1_762_000_000 || n > 1_764_000_000 {
		t.Errorf("the denoiser has %d parameters", n)
	}
	none := func(string) bool { return false }
	if n := elements(nanoflux.Encoder.Tensors(), none); n < 334_000_000 || n > 336_000_000 {
		t.Errorf("the text encoder has %d parameters", n)
	}
	if n := elements(nanoflux.Decoder.DecoderTensors(), none); n < 49_000_000 || n > 50_000_000 {
		t.Errorf("the decoder has %d parameters", n)
	}
}

// Models without values are built with the storage that the growing passes
// give. It is the same to every delegate as when the passes had made it.
func TestABuildInAnotherStorageStandsForThePassThatGrowsTheModel(t *testing.T) {
	c := flux.Config{InChannels: 64, OutChannels: 64, Layers: 2, SingleLayers: 2, Heads: 4, HeadDim: 32, MLPRatio: 4, TextDim: 48, PooledDim: 16, AxesDims: []int{8, 12, 12}, Theta: 10000}
	shape := flux.Shape{Rows: 4, Columns: 4, TextTokens: 8}
	for _, target := range targets {
		t.Run(target.title, func(t *testing.T) {
			blocks := append(scopes("double", c.Layers), scopes("single", c.SingleLayers)...)
			blank := subject{blocks: blocks, stored: func(s weights.Storage) (*graph.Model, error) { return denoiser(c, shape, s) }}
			file, err := denoiser(c, shape, weights.Int8)
			if err != nil {
				t.Fatal(err)
			}
			for _, rewrites := range []bool{false, true} {
				got, err := measureOne(t.Context(), blank, target, rewrites)
				if err != nil {
					t.Fatal(err)
				}
				want, err := measureOne(t.Context(), subject{blocks: blocks, file: file}, target, rewrites)
				if err != nil {
					t.Fatal(err)
				}
				got.refused, want.refused = nil, nil
				if got.all != want.all || got.outside != want.outside || got.ops != want.ops || got.segments != want.segments || got.perBlock != want.perBlock {
					t.Errorf("rewrites %v: %+v, by the passes %+v", rewrites, got, want)
				}
			}
		})
	}
}

func TestAttentionIsTheSameWorkHoweverItIsWritten(t *testing.T) {
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	m, err := b.Model("denoiser")
	if err != nil {
		t.Fatal(err)
	}
	attention := func(m *graph.Model) (macs int64) {
		x := newTally(m)
		for o := range x.g.Ops {
			if x.isAttention(&x.g.Ops[o]) {
				macs += partition.MACs(m, 0, o)
			}
		}
		return macs
	}
	passes, err := rewrite.ByName([]string{"split-attention-heads"})
	if err != nil {
		t.Fatal(err)
	}
	split, _, err := rewrite.Apply(m, passes)
	if err != nil {
		t.Fatal(err)
	}
	// Seven blocks, two products each, of 3 heads × 64 channels and all pairs of
	// 64 image and 24 text tokens.
	const tokens = 64 + 24
	if got, want := attention(m), int64(7*2*3*64*tokens*tokens); got != want || attention(split) != want {
		t.Errorf("%d MACs of attention, %d when split; want %d", got, attention(split), want)
	}
}

func TestAModelInIntegersHasNoFloats(t *testing.T) {
	list, done, err := subjects()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done() }()
	for _, s := range list {
		m := s.file
		if m == nil {
			if m, err = s.stored(weights.Int8); err != nil {
				t.Fatal(err)
			}
		}
		out, err := inIntegers(m)
		if err != nil {
			t.Errorf("%s %s: %v", s.family, s.part, err)
			continue
		}
		g := &out.Subgraphs[0]
		for _, op := range g.Ops {
			if slices.ContainsFunc(append(slices.Clone(op.Inputs), op.Outputs...), func(i int) bool {
				return i != graph.NoTensor && (g.Tensors[i].Type == graph.Float32 || g.Tensors[i].Type == graph.Float16)
			}) {
				t.Fatalf("%s %s: %s still has floats", s.family, s.part, op.Name())
			}
		}
	}
}
