package exec

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// attentionModel is one transformer block in the shapes that the real models
// have: INT8 weights, a normalisation, attention of two heads, a linear layer
// with GELU, and a convolution over the tokens as an image.
func attentionModel(t *testing.T, random *rand.Rand) *graph.Model {
	const tokens, channels, heads = 16, 32, 2
	b := graph.NewBuilder("attention")
	constant := func(name string, shape ...int) graph.T {
		a := graph.NewArray(graph.Float32, shape...)
		for i := range graph.View[float32](a.Data) {
			graph.View[float32](a.Data)[i] = float32(random.NormFloat64()) / 6
		}
		return b.Const(name, a)
	}
	weights := func(outputs, inputs int) graph.T {
		a := graph.NewArray(graph.Int8, outputs, inputs)
		for i := range a.Data {
			a.Data[i] = byte(random.Uint32())
		}
		q := &graph.Quantization{Scale: make([]float32, outputs), ZeroPoint: make([]int64, outputs)}
		for i := range q.Scale {
			q.Scale[i] = 0.001 + random.Float32()/1000
		}
		return b.Dequantize(b.QuantizedConst("weights", a, q))
	}
	x := b.Input("x", graph.Float32, 1, tokens, channels)
	mean := b.Mean(x, []int{2}, true)
	variance := b.Mean(b.SquaredDifference(x, mean), []int{2}, true)
	normal := b.Mul(b.Sub(x, mean), b.Rsqrt(b.Add(variance, b.Scalar("epsilon", 1e-6))))
	head := func() graph.T {
		y := b.FullyConnected(normal, weights(channels, channels), constant("bias", channels), graph.ActNone)
		return b.Transpose(b.Reshape(y, 1, tokens, heads, channels/heads), 0, 2, 1, 3)
	}
	scores := b.Softmax(b.BatchMatMul(head(), head(), false, true))
	mixed := b.Reshape(b.Transpose(b.BatchMatMul(scores, head(), false, false), 0, 2, 1, 3), 1, tokens, channels)
	x = b.Add(x, b.FullyConnected(mixed, weights(channels, channels), graph.None, graph.ActNone))
	x = b.Add(x, b.Gelu(b.FullyConnected(x, weights(channels, channels), graph.None, graph.ActNone), true))
	image := b.Conv2D(b.Reshape(x, 1, 4, 4, channels), constant("kernel", 8, 3, 3, channels), constant("bias", 8), 1, graph.Same, graph.ActRelu)
	b.Output("tokens", x)
	b.Output("image", image)
	return built(t, b)
}

func TestTheFallbackGivesTheSameBytesWhereverAModelIsCut(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	m := attentionModel(t, random)
	ctx := context.Background()
	whole := run(t, m, planned(t, m, "cpu-go", nil), seeded(m))
	cut := planned(t, m, "mixed-go", nil)
	if n := len(cut.plan.Segments); n < 8 {
		t.Errorf("mixed-go cuts the model into %d segments only", n)
	}
	same(t, m, "mixed-go", whole, run(t, m, cut, seeded(m)))
	differences, err := Compare(ctx, m, 0, fallback.New(fallback.Options{Threads: 1, NoFusion: true}), seeded(m), whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		if !d.Equal {
			t.Errorf("one thread: %+v", d)
		}
	}
	differences, err = Compare(ctx, m, 0, fallback.New(fallback.Options{}), seeded(m), whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		if d.Relative > 1e-6 {
			t.Errorf("with fusion: %+v", d)
		}
	}
	for seed := range 20 {
		// Backends that each take a random half of the operators.
		places := make([]bool, len(m.Subgraphs[0].Ops))
		for i := range places {
			places[i] = random.IntN(2) == 0
		}
		r := planned(t, m, "mixed-go", func(name string, b delegate.Backend) delegate.Backend {
			return half{b, func(op int) bool {
				return m.Subgraphs[0].Ops[op].Name() == "DEQUANTIZE" || places[op] == (name == "go-one")
			}}
		})
		same(t, m, fmt.Sprint("random placement ", seed), whole, run(t, m, r, seeded(m)))
	}
}

// half is a backend that takes some operators only.
type half struct {
	delegate.Backend
	takes func(op int) bool
}

func (h half) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if !h.takes(op) {
		return delegate.Refuse(delegate.ReasonOp, "not in this half")
	}
	return h.Backend.Supports(m, sub, op)
}

// planned makes a runner by a profile of the program, whose Go kernels run
// operator by operator: attention in one step rounds otherwise. Where wrap
// changes the backends, rules and policy are left out.
func planned(t *testing.T, m *graph.Model, profile string, wrap func(string, delegate.Backend) delegate.Backend) *Runner {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Backends {
		if b := &p.Backends[i]; b.Kind == "fallback" {
			options := map[string]any{"fusion": false}
			maps.Copy(options, b.Options)
			b.Options = options
		}
	}
	backends, err := partition.OpenBackends(p, partition.Isolation{})
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		p.Rules, p.Policy = nil, profiles.Fallback
		for name, b := range backends {
			backends[name] = wrap(name, b)
		}
	}
	plan, err := partition.New(context.Background(), m, 0, p, backends)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(context.Background(), m, plan, backends, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// seeded are inputs for m, the same each time: floats in −1…1, integers and
// bytes over their whole range.
func seeded(m *graph.Model) (inputs []graph.Array) {
	random := rand.New(rand.NewPCG(9, 9))
	for _, t := range m.Subgraphs[0].Inputs {
		x := &m.Subgraphs[0].Tensors[t]
		a := graph.NewArray(x.Type, x.Shape...)
		for i := range a.Data {
			a.Data[i] = byte(random.Uint32())
		}
		if x.Type == graph.Float32 {
			for i := 0; i < len(a.Data); i += 4 {
				binary.LittleEndian.PutUint32(a.Data[i:], math.Float32bits(2*random.Float32()-1))
			}
		}
		inputs = append(inputs, a)
	}
	return inputs
}

func run(t *testing.T, m *graph.Model, r *Runner, inputs []graph.Array) []graph.Array {
	t.Helper()
	out := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	for range 2 { // the second run has used buffers
		if err := r.Run(context.Background(), inputs, out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func same(t *testing.T, m *graph.Model, what string, want, got []graph.Array) {
	t.Helper()
	for k := range want {
		if !bytes.Equal(want[k].Data, got[k].Data) {
			d, err := Diff(got[k], want[k])
			t.Errorf("%s, %s: output %d differs: %+v %v", m.Name, what, k, d, err)
		}
	}
}

// TestThirdPartyModelsGiveTheSameBytesWhereverTheyAreCut runs models that were
// made by others; they are not part of this repository.
func TestThirdPartyModelsGiveTheSameBytesWhereverTheyAreCut(t *testing.T) {
	folder := os.Getenv("NANOFLUX_CONFORMANCE")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data", "conformance")
	}
	files, _ := filepath.Glob(filepath.Join(folder, "mlperf-tiny", "*.tflite"))
	if len(files) == 0 {
		t.Skip("no conformance models here (set NANOFLUX_CONFORMANCE to their folder)")
	}
	ran := 0
	for _, file := range files {
		m, err := graph.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		if op := firstRefused(m); op != "" {
			t.Logf("%s: the fallback lacks %s", filepath.Base(file), op)
			continue
		}
		whole := run(t, m, planned(t, m, "cpu-go", nil), seeded(m))
		same(t, m, "mixed-go", whole, run(t, m, planned(t, m, "mixed-go", nil), seeded(m)))
		alternate := planned(t, m, "mixed-go", func(name string, b delegate.Backend) delegate.Backend {
			return half{b, func(op int) bool {
				constant := m.Subgraphs[0].Ops[op].Name() == "DEQUANTIZE"
				return constant || (op%2 == 0) == (name == "go-one")
			}}
		})
		same(t, m, "every second operator", whole, run(t, m, alternate, seeded(m)))
		ran++
	}
	if ran == 0 {
		t.Error("the fallback takes none of the models")
	}
}

func firstRefused(m *graph.Model) string {
	b := fallback.New(fallback.Options{})
	for i := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, i); r != nil {
			return fmt.Sprintf("op %d (%s): %v", i, m.Subgraphs[0].Ops[i].Name(), r)
		}
	}
	return ""
}
