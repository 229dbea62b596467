package rewrite_test

import (
	"context"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/support"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// npu is a device that takes what a support table says.
type npu struct{ table support.Table }

func (n npu) Name() string { return "npu" }

func (n npu) Probe(context.Context) (delegate.Device, error) { return delegate.Device{}, nil }

func (n npu) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return n.table.Check(m, sub, op)
}

func (n npu) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, delegate.ErrUnavailable
}

// Shares of the small denoiser's multiply-accumulates that each delegate takes
// after the passes that docs/rewrites.md names for it, and in how many segments.
func TestTheDenoiserIsTakenAfterRewrites(t *testing.T) {
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	original, err := b.Model("denoiser")
	if err != nil {
		t.Fatal(err)
	}
	const blocks = 7
	for _, c := range []struct {
		table, passes string
		integer       bool
		// all and outside are the least shares, in per cent, of everything and
		// of what is not attention; segments is the most, 0 for any.
		all, outside float64
		segments     int
	}{
		{"qnn-sm8650", "", false, 100, 100, 1},
		{"nnapi-fl6", "fold-dequantize expand-gelu", false, 95, 100, 1},
		{"nnapi-29", "fold-dequantize expand-gelu split-attention-heads fully-connected-to-conv sink-reshapes", false, 95, 95, 4 * blocks},
		{"nnapi-29", "fold-dequantize expand-gelu fully-connected-to-conv sink-reshapes", false, 0, 95, 4 * blocks},
		{"hexagon", "expand-quantized-gelu split-attention-heads fully-connected-to-conv sink-reshapes", true, 95, 95, 4 * blocks},
		{"coreml-2", "fold-dequantize expand-gelu fully-connected-to-conv sink-reshapes", false, 0, 95, 0},
		{"coreml-3", "dequantize-to-half expand-gelu fully-connected-to-conv sink-reshapes", false, 0, 95, 0},
		{"xnnpack", "expand-gelu mean-as-fully-connected split-as-slices narrow-concatenation", false, 100, 100, 1},
	} {
		t.Run(c.table+" "+c.passes, func(t *testing.T) {
			table, err := support.ByName(c.table)
			if err != nil {
				t.Fatal(err)
			}
			m := original
			if c.integer {
				m = inIntegers(t, original)
			}
			passes, err := rewrite.ByName(strings.Fields(c.passes))
			if err != nil {
				t.Fatal(err)
			}
			m, _, err = rewrite.Apply(m, passes)
			if err != nil {
				t.Fatal(err)
			}
			all, outside := shares(m, table)
			if all < c.all || outside < c.outside {
				t.Errorf("%.1f %% of all and %.1f %% outside attention are taken, must be %v and %v", all, outside, c.all, c.outside)
			}
			if n := segments(t, m, table); c.segments > 0 && n > c.segments {
				t.Errorf("%d segments, at most %d", n, c.segments)
			}
		})
	}
}

func shares(m *graph.Model, table support.Table) (all, outside float64) {
	var total, taken, linear, linearTaken float64
	g := &m.Subgraphs[0]
	for o := range g.Ops {
		macs := float64(partition.MACs(m, 0, o))
		attention := strings.Contains(g.Tensors[g.Ops[o].Outputs[0]].Name, "batch_matmul")
		refused := table.Check(m, 0, o) != nil
		total += macs
		if !attention {
			linear += macs
		}
		if !refused {
			taken += macs
			if !attention {
				linearTaken += macs
			}
		}
	}
	return 100 * taken / total, 100 * linearTaken / linear
}

// segments counts the NPU's segments in a plan.
func segments(t *testing.T, m *graph.Model, table support.Table) (n int) {
	t.Helper()
	p := &profiles.Profile{Name: "test", Policy: profiles.Warn, Backends: []profiles.Backend{{Name: "npu"}, {Name: "go"}}}
	plan, err := partition.New(t.Context(), m, 0, p, map[string]delegate.Backend{"npu": npu{table}, "go": fallback.New(fallback.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Segments {
		if s.Backend == "npu" {
			n++
		}
	}
	return n
}

// inIntegers has m's form as an 8-bit model: every float tensor is INT8, weights
// come straight from the file, biases are INT32. The numbers mean nothing.
func inIntegers(t *testing.T, m *graph.Model) *graph.Model {
	t.Helper()
	out, _, err := rewrite.Apply(m, nil) // a copy with lists of its own
	if err != nil {
		t.Fatal(err)
	}
	g := &out.Subgraphs[0]
	stored, biases := map[int]int{}, map[int]bool{}
	ops := g.Ops[:0]
	for _, op := range g.Ops {
		if op.Name() == "DEQUANTIZE" && out.IsConstant(0, op.Inputs[0]) {
			stored[op.Outputs[0]] = op.Inputs[0]
			continue
		}
		op.Inputs = append([]int(nil), op.Inputs...)
		for i, x := range op.Inputs {
			if s, ok := stored[x]; ok {
				op.Inputs[i] = s
			}
		}
		if op.Name() == "FULLY_CONNECTED" && len(op.Inputs) > 2 && op.Inputs[2] != graph.NoTensor {
			biases[op.Inputs[2]] = true
		}
		ops = append(ops, op)
	}
	g.Ops = ops
	for i := range g.Tensors {
		x := &g.Tensors[i]
		size := map[graph.TensorType]int{graph.Float32: 4, graph.Float16: 2}[x.Type]
		switch {
		case size == 0:
		case biases[i]:
			x.Type = graph.Int32
		default:
			x.Type, x.Quantization = graph.Int8, &graph.Quantization{Scale: []float32{0.05}, ZeroPoint: []int64{0}}
			if data := out.Buffers[x.Buffer]; len(data) > 0 {
				out.Buffers = append(out.Buffers, data[:len(data)/size])
				x.Buffer = len(out.Buffers) - 1
			}
		}
	}
	for o := range g.Ops {
		g.Ops[o].Version = g.OpVersion(&g.Ops[o])
	}
	if err := graph.Check(out); err != nil {
		t.Fatal(err)
	}
	return out
}
