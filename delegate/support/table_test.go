package support

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestEveryNameGivesItsTable(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) || !slices.Contains(names, "qnn-sm8650") || !slices.Contains(names, "nnapi-fl6") {
		t.Fatalf("names %v", names)
	}
	for _, n := range names {
		tab, err := ByName(n)
		if err != nil || tab.Name() != n {
			t.Errorf("%s: %v, %v", n, tab, err)
		}
	}
	for alias, name := range map[string]string{"NNAPI-29": "nnapi-29", "nnapi-1000006": "nnapi-fl6", "qnn-SM8650": "qnn-sm8650"} {
		if tab, err := ByName(alias); err != nil || tab.Name() != name {
			t.Errorf("%s: %v, %v", alias, tab, err)
		}
	}
}

func TestAnUnknownNameIsAnErrorWithTheNearest(t *testing.T) {
	for name, want := range map[string]string{
		"nnapi-2":                       "nnapi-27",
		"nnapi29":                       `"nnapi-29"`,
		"core-ml-3":                     `"coreml-3"`,
		"hexagone":                      `"hexagon"`,
		"xnpack":                        `"xnnpack"`,
		"qnn-sm8660":                    "SM8650",
		"qnn-sm8250":                    "v66",
		"qnn-qcs2290":                   "no HTP",
		"qnn-":                          "SM8650",
		"":                              "there are",
		"something":                     "there are",
		strings.Repeat("nnapi-29", 100): "there are",
	} {
		if _, err := ByName(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, must have %s", name, err, want)
		}
	}
	if _, err := NNAPI(NNAPIOptions{Level: 26}); err == nil {
		t.Error("NNAPI level 26 is taken")
	}
	if _, err := CoreML(CoreMLOptions{Version: 4}); err == nil {
		t.Error("Core ML version 4 is taken")
	}
}

// built is a model of a builder, and the operator of it to look at.
func built(t *testing.T, code graph.OpCode, make func(b *graph.Builder) graph.T) (*graph.Model, int) {
	t.Helper()
	b := graph.NewBuilder("m")
	b.Output("out", make(b))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Subgraphs[0].Ops {
		if m.Subgraphs[0].Ops[i].Code == code {
			return m, i
		}
	}
	t.Fatalf("no %v", code)
	return nil, 0
}

// weights are [out, in] as our models store them.
func weights(b *graph.Builder, stored string, out, in int) graph.T {
	n := out * in
	switch stored {
	case "float32":
		return graph.ConstOf(b, "w", make([]float32, n), out, in)
	case "float16":
		return b.Dequantize(b.Const("w", graph.Array{Type: graph.Float16, Shape: []int{out, in}, Data: make([]byte, 2*n)}))
	case "int8":
		q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
		return b.Dequantize(b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{out, in}, Data: make([]byte, n)}, q))
	case "int8 rows":
		q := &graph.Quantization{Scale: slices.Repeat([]float32{0.5}, out), ZeroPoint: make([]int64, out)}
		return b.Dequantize(b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{out, in}, Data: make([]byte, n)}, q))
	case "hybrid":
		q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
		return b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{out, in}, Data: make([]byte, n)}, q)
	}
	return b.Input("w", graph.Float32, out, in)
}

// What delegates make of weights: the fully-connected operator, and the
// DEQUANTIZE before it. "" is taken.
func TestWeightsBehindDequantize(t *testing.T) {
	const no = "(none)"
	for _, c := range []struct {
		table, stored               string
		fullyConnected, dequantized delegate.Reason
	}{
		{"nnapi-27", "float32", "", no},
		{"nnapi-27", "float16", "", ""},
		{"nnapi-27", "int8", "", delegate.ReasonLevel},
		{"nnapi-29", "int8", "", ""},
		{"nnapi-29", "int8 rows", "", delegate.ReasonVersion},
		{"nnapi-28", "hybrid", delegate.ReasonLevel, no},
		{"nnapi-29", "hybrid", "", no},
		{"nnapi-29", "computed", "", no},
		{"coreml-3", "float32", "", no},
		{"coreml-3", "float16", "", ""},
		{"coreml-3", "int8", delegate.ReasonConstant, delegate.ReasonOp},
		{"coreml-3", "hybrid", delegate.ReasonType, no},
		{"coreml-3", "computed", delegate.ReasonConstant, no},
		{"hexagon", "float16", delegate.ReasonType, delegate.ReasonOp},
		{"qnn-sm8650", "float16", "", ""},
		{"qnn-sm8650", "int8 rows", "", ""},
		{"qnn-sm8350", "float32", delegate.ReasonSoC, no},
		{"xnnpack", "float32", "", no},
		{"xnnpack", "float16", "", ""},
		{"xnnpack", "int8", "", ""},
		{"xnnpack", "int8 rows", "", ""},
		{"xnnpack", "hybrid", "", no},
		{"xnnpack", "computed", delegate.ReasonConstant, no},
	} {
		t.Run(c.table+" "+c.stored, func(t *testing.T) {
			m, op := built(t, schema.BuiltinOperatorFULLY_CONNECTED, func(b *graph.Builder) graph.T {
				return b.FullyConnected(b.Input("x", graph.Float32, 1, 8), weights(b, c.stored, 4, 8), graph.ConstOf(b, "bias", make([]float32, 4)), graph.ActNone)
			})
			tab := mustTable(t, c.table)
			wantReason(t, tab.Check(m, 0, op), c.fullyConnected)
			if c.dequantized != no {
				wantReason(t, tab.Check(m, 0, op-1), c.dequantized)
			}
		})
	}
}

func wantReason(t *testing.T, r *delegate.Refusal, want delegate.Reason) {
	t.Helper()
	switch {
	case r == nil && want != "":
		t.Errorf("taken, must be refused by %s", want)
	case r != nil && r.Reason != want:
		t.Errorf("refused by %v, must be %q", r, want)
	}
}

func TestADequantizeThatIsAnOutputIsNotFolded(t *testing.T) {
	m, op := built(t, schema.BuiltinOperatorDEQUANTIZE, func(b *graph.Builder) graph.T { return weights(b, "float16", 4, 8) })
	for _, name := range []string{"nnapi-31", "coreml-3", "xnnpack"} {
		if mustTable(t, name).Check(m, 0, op) == nil {
			t.Errorf("%s takes it", name)
		}
	}
}

// A delegate that reads FLOAT16 sees the FLOAT16 constant itself where it
// stands, also where it takes FLOAT32 only.
func TestAFloat16ConstantIsFloat16ToWhoLooksThrough(t *testing.T) {
	add := func(swap bool) func(b *graph.Builder) graph.T {
		return func(b *graph.Builder) graph.T {
			x, w := b.Input("x", graph.Float32, 4, 8), weights(b, "float16", 4, 8)
			if swap {
				x, w = w, x
			}
			return b.Add(x, w)
		}
	}
	for _, name := range []string{"nnapi-30", "coreml-3"} {
		m, op := built(t, schema.BuiltinOperatorADD, add(false))
		wantReason(t, mustTable(t, name).Check(m, 0, op), "")
		m, op = built(t, schema.BuiltinOperatorADD, add(true))
		wantReason(t, mustTable(t, name).Check(m, 0, op), delegate.ReasonType)
	}
	m, op := built(t, schema.BuiltinOperatorADD, add(true))
	wantReason(t, mustTable(t, "xnnpack").Check(m, 0, op), "")
}

func TestDetailsSayWhatWouldBeTaken(t *testing.T) {
	attention := func(b *graph.Builder) graph.T {
		return b.BatchMatMul(b.Input("q", graph.Float32, 4, 8, 6), b.Input("k", graph.Float32, 4, 8, 6), false, true)
	}
	m, op := built(t, schema.BuiltinOperatorBATCH_MATMUL, attention)
	gelu, geluOp := built(t, schema.BuiltinOperatorGELU, func(b *graph.Builder) graph.T { return b.Gelu(b.Input("x", graph.Float32, 4), false) })
	deep, deepOp := built(t, schema.BuiltinOperatorADD, func(b *graph.Builder) graph.T {
		return b.Add(b.Input("x", graph.Float32, 1, 2, 3, 4, 5), b.Input("y", graph.Float32, 1, 2, 3, 4, 5))
	})
	dynamic, dynamicOp := built(t, schema.BuiltinOperatorRELU, func(b *graph.Builder) graph.T { return b.Relu(b.Input("x", graph.Float32, -1, 4)) })
	keep, keepOp := built(t, schema.BuiltinOperatorFULLY_CONNECTED, func(b *graph.Builder) graph.T {
		return b.FullyConnected(b.Input("x", graph.Float32, 1, 2, 8), weights(b, "float32", 4, 8), graph.ConstOf(b, "bias", make([]float32, 4)), graph.ActNone)
	})
	for _, c := range []struct {
		table string
		m     *graph.Model
		op    int
		want  string
	}{
		{"nnapi-29", m, op, "level: BATCH_MATMUL needs NNAPI feature level 6; the device has NNAPI level 29"},
		{"nnapi-fl6", m, op, ""},
		{"coreml-3", m, op, "op: Core ML has no BATCH_MATMUL"},
		{"nnapi-fl8", gelu, geluOp, "op: NNAPI has no GELU"},
		{"nnapi-29", deep, deepOp, "rank: input 0 has rank 5; takes at most 4"},
		{"hexagon", deep, deepOp, "rank: input 0 has rank 5; takes at most 4"},
		{"hexagon", m, op, "op: Hexagon NN has no BATCH_MATMUL"},
		{"nnapi-29", dynamic, dynamicOp, "dynamic: input 0 has the shape [-1 4]; every size must be fixed"},
		{"xnnpack", dynamic, dynamicOp, ""},
		{"nnapi-29", keep, keepOp, "level: keep_num_dims is true; takes false; taken from NNAPI level 30 on, the device has NNAPI level 29"},
		{"nnapi-30", keep, keepOp, ""},
		{"coreml-2", keep, keepOp, "shape: input 0 has the shape [1 2 8]; every size but the last must be 1"},
		{"qnn-sm8350", gelu, geluOp, "soc: input 0 is FLOAT32; the HTP v68 of SM8350 takes integers, from v69 on it takes floats"},
	} {
		r := mustTable(t, c.table).Check(c.m, 0, c.op)
		if got := fmt.Sprint(r); r == nil && c.want != "" || r != nil && (c.want == "" || got != c.want) {
			t.Errorf("%s: %v, must be %q", c.table, r, c.want)
		}
	}
}

func TestANamedAcceleratorTakesMore(t *testing.T) {
	plain := mustTable(t, "nnapi-29")
	named, err := NNAPI(NNAPIOptions{Level: 29, Accelerator: true})
	if err != nil {
		t.Fatal(err)
	}
	m := sampleModel(t, schema.BuiltinOperatorMUL)
	m.Subgraphs[0].Ops[0].Version = 3
	wantReason(t, plain.Check(m, 0, 0), delegate.ReasonVersion)
	wantReason(t, named.Check(m, 0, 0), "")
	m.Subgraphs[0].Ops[0].Version = 4
	wantReason(t, named.Check(m, 0, 0), delegate.ReasonVersion)

	m = sampleModel(t, schema.BuiltinOperatorAVERAGE_POOL_2D)
	setType(m, 0, graph.Int8)
	m.Subgraphs[0].Ops[0].Options.(*schema.Pool2DOptionsT).FilterHeight = 200
	wantReason(t, plain.Check(m, 0, 0), delegate.ReasonOption)
	wantReason(t, named.Check(m, 0, 0), "")
}

func TestAllTablesRefuseWhatNoDelegateReads(t *testing.T) {
	for _, name := range []string{"nnapi-31", "coreml-3", "hexagon", "qnn-sm8650", "xnnpack"} {
		tab := mustTable(t, name)
		w := written{parser: parser{code: schema.BuiltinOperatorRELU, parseLevel: parseLevel}}
		if name == "hexagon" {
			w.constraints = []string{"type in0 U8"}
		}
		m := w.sample(t, tab)
		wantReason(t, tab.Check(m, 0, 0), "")
		m.Subgraphs[0].Tensors[0].Sparsity = &schema.SparsityParametersT{}
		wantReason(t, tab.Check(m, 0, 0), delegate.ReasonConstant)
		m.Subgraphs[0].Tensors[0].Sparsity = nil
		m.Subgraphs[0].Tensors[0].Quantization = &graph.Quantization{Details: &schema.QuantizationDetailsT{}}
		wantReason(t, tab.Check(m, 0, 0), delegate.ReasonQuantization)
	}
}

func TestAnOperatorWithoutOptionsIsRefused(t *testing.T) {
	for _, f := range tested {
		for _, w := range writtenRows(t, f.file, f.parseLevel) {
			tab := mustTable(t, f.tables[len(f.tables)-1])
			m := w.sample(t, tab)
			m.Subgraphs[0].Ops[0].Options = nil
			tab.Check(m, 0, 0) // it must not panic
			m.Subgraphs[0].Ops[0].Options = &schema.AddNOptionsT{}
			r := tab.Check(m, 0, 0)
			if r == nil && slices.ContainsFunc(w.constraints, func(c string) bool {
				return strings.HasPrefix(c, "option ") || strings.HasPrefix(c, "activation ")
			}) {
				t.Errorf("%s: %s is taken with the options of ADD_N", tab.name, w.name)
			}
		}
	}
}

// What an NNAPI level takes, every higher level takes too;
// and what is refused for its level is taken by, or refused for something else
// at, a higher one.
func TestWhatALevelTakesHigherLevelsTake(t *testing.T) {
	var tables []*table
	for _, l := range levels {
		tables = append(tables, mustTable(t, "nnapi-"+shortLevel(l)))
	}
	rows := writtenRows(t, "nnapi.psv", parseLevel)
	taken, refused := 0, 0
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		w := &rows[r.IntN(len(rows))]
		m := w.sample(t, tables[r.IntN(len(tables))])
		scramble(r, m)
		lowest := -1
		var last *delegate.Refusal
		for i, tab := range tables {
			refusal := tab.Check(m, 0, 0)
			if refusal == nil && lowest < 0 {
				lowest = i
			}
			if refusal != nil && lowest >= 0 {
				t.Fatalf("%s: level %d takes it, %d does not: %v\n%+v", w.name, levels[lowest], levels[i], refusal, m.Subgraphs[0])
			}
			last = refusal
		}
		if last == nil {
			taken++
		} else {
			refused++
			if last.Reason == delegate.ReasonLevel {
				t.Fatalf("%s: the highest level refuses by %v", w.name, last)
			}
		}
	}
	if taken < 2000 || refused < 2000 {
		t.Errorf("%d taken and %d refused: the test tries too little", taken, refused)
	}
}

// scramble changes a few things of a sample at random.
func scramble(r *rand.Rand, m *graph.Model) {
	g := &m.Subgraphs[0]
	o := &g.Ops[0]
	all := []graph.TensorType{graph.Float32, graph.Uint8, graph.Int8, graph.Int32, graph.Float16, graph.Int64, graph.Bool, graph.Int16}
	for range r.IntN(4) {
		id := r.IntN(len(g.Tensors))
		switch r.IntN(8) {
		case 0, 1:
			to := all[r.IntN(len(all))]
			for i := range g.Tensors {
				if g.Tensors[i].Type == g.Tensors[id].Type || i == id {
					setType(m, i, to)
				}
			}
		case 2:
			reshape(m, id, slices.Repeat([]int{2}, r.IntN(6)))
		case 3:
			g.Tensors[id].Buffer = 0
		case 4:
			o.Version = 1 + r.IntN(5)
		case 5:
			scale := []float32{0.5, 1, 2}[r.IntN(3)]
			g.Tensors[id].Quantization = &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{int64(r.IntN(2))}}
		case 6:
			if c, ok := o.Options.(*schema.Conv2DOptionsT); ok {
				c.DilationHFactor = int32(1 + r.IntN(2))
			}
			if c, ok := o.Options.(*schema.AddOptionsT); ok {
				c.FusedActivationFunction = graph.ActRelu
			}
			if c, ok := o.Options.(*schema.PackOptionsT); ok {
				c.Axis = -1
			}
			if c, ok := o.Options.(*schema.ResizeBilinearOptionsT); ok {
				c.HalfPixelCenters = true
			}
			if c, ok := o.Options.(*schema.SqueezeOptionsT); ok {
				c.SqueezeDims = nil
			}
			if c, ok := o.Options.(*schema.FullyConnectedOptionsT); ok {
				c.KeepNumDims = true
			}
		case 7:
			if len(o.Inputs) > 1 {
				o.Inputs = o.Inputs[:len(o.Inputs)-1]
			}
		}
	}
}

// A checked model may still have operands and options that
// do not go together.
func TestAnythingIsAnswered(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var tables []*table
	for _, f := range tested {
		for _, name := range f.tables {
			tables = append(tables, mustTable(t, name))
		}
	}
	for range 4000 {
		m := sampleModel(t, anyCode(r))
		o := &m.Subgraphs[0].Ops[0]
		scramble(r, m)
		switch r.IntN(6) {
		case 0:
			o.Inputs = nil
		case 1:
			o.Outputs = nil
		case 2:
			o.Code = anyCode(r)
		case 3:
			for i := range o.Inputs {
				if r.IntN(2) == 0 {
					o.Inputs[i] = graph.NoTensor
				}
			}
		}
		for _, tab := range tables {
			tab.Check(m, 0, 0)
		}
	}
}

func anyCode(r *rand.Rand) graph.OpCode {
	var codes []graph.OpCode
	for _, names := range samples {
		for _, n := range strings.Fields(names) {
			codes = append(codes, schema.EnumValuesBuiltinOperator[n])
		}
	}
	slices.Sort(codes)
	return codes[r.IntN(len(codes))]
}

func TestChipsAreFound(t *testing.T) {
	s, err := FindSoC("sm8650")
	if err != nil || s != (SoC{Model: "SM8650", HTP: 75, ID: 57}) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := FindSoC("SM8850"); err != nil || s.LPAI != 6 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := FindSoC("SM865O"); err == nil || !strings.Contains(err.Error(), "SM8650") {
		t.Errorf("error %v", err)
	}
	if n := len(SoCs()); n < 60 {
		t.Errorf("%d chips", n)
	}
}
