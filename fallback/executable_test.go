package fallback

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// hook is called by the operator hooked, which copies its input. Its code is one
// that no kernel has.
const hookedCode = schema.BuiltinOperatorHASHTABLE_LOOKUP

var hook = func() {}

// prepareHook is called when hooked is prepared.
var prepareHook = func() error { return nil }

func init() {
	register(hookedCode, kernel{accepts: acceptsMove(1, 1, 1), prepare: func(n *node) (compute, error) {
		if err := prepareHook(); err != nil {
			return nil, err
		}
		if err := n.shape(0, n.in[0].shape...); err != nil {
			return nil, err
		}
		return func() {
			hook()
			copy(n.out[0].data, n.in[0].data)
		}, nil
	}})
}

// withHook sets the hook for one test.
func withHook(t *testing.T, f func()) {
	hook = f
	t.Cleanup(func() { hook = func() {} })
}

func hooked(b *graph.Builder, x graph.T) graph.T {
	return b.Op(hookedCode, 0, nil, []graph.T{x}, graph.Tensor{Type: b.Type(x), Shape: b.Shape(x), HasRank: true})[0]
}

// chain is y = hooked(hooked(x)).
func chain(t *testing.T) (delegate.Executable, graph.Array) {
	x := floats32(1, 2, 3)
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return hooked(b, hooked(b, in[0])) }), never, x)
	return compiled(t, m, 2), x
}

func TestARunEndsBetweenOperatorsWhenItsContextDoes(t *testing.T) {
	e, x := chain(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	withHook(t, func() { calls++; cancel() })
	if err := e.Run(ctx, []graph.Array{x}, make([]graph.Array, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, must be context.Canceled", err)
	}
	if calls != 1 {
		t.Errorf("%d operators ran, must be 1", calls)
	}
	sameBytes(t, "the next run", ran(t, e, 1, x)[0], x)
}

func TestARunThatIsGivenUpInItsLastOperatorFails(t *testing.T) {
	e, x := chain(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	withHook(t, func() {
		if calls++; calls == 2 {
			cancel()
		}
	})
	// Its loops may have ended early.
	if err := e.Run(ctx, []graph.Array{x}, make([]graph.Array, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v, must be context.Canceled", err)
	}
}

func TestARunThatIsGivenUpLeavesNothingHalfMade(t *testing.T) {
	r := seeded(t)
	x, y, w := random(r, graph.Float32, 2, 40, 300), random(r, graph.Float32, 2, 300, 200), random(r, graph.Float32, 50, 200)
	build := one(func(b *graph.Builder, in []graph.T) graph.T {
		// A shape that is known at run time only has the weights packed there.
		late := b.Op(schema.BuiltinOperatorRESHAPE, 0, &schema.ReshapeOptionsT{}, []graph.T{b.BatchMatMul(hooked(b, in[0]), in[1], false, false), in[3]},
			graph.Tensor{Type: graph.Float32, Shape: []int{80, 200}, HasRank: true})[0]
		return b.FullyConnected(late, in[2], graph.None, graph.ActNone)
	})
	m, inputs := modelOf(t, build, func(i int) bool { return i == 1 || i == 2 }, x, y, w, ints32(80, 200))
	want := ran(t, compiled(t, m, 2), 1, inputs...)[0]
	for wait := range 20 {
		e := compiled(t, m, 2)
		ctx, cancel := context.WithCancel(t.Context())
		withHook(t, func() { go func() { time.Sleep(time.Duration(wait) * 10 * time.Microsecond); cancel() }() })
		_ = e.Run(ctx, inputs, make([]graph.Array, 1)) // ends anywhere
		cancel()
		withHook(t, func() {})
		sameBytes(t, "the run after one that was given up", ran(t, e, 1, inputs...)[0], want)
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	e, x := chain(t)
	running, finish := make(chan struct{}), make(chan struct{})
	var once sync.Once
	withHook(t, func() { once.Do(func() { close(running); <-finish }) })
	first := make(chan error)
	go func() { first <- e.Run(context.Background(), []graph.Array{x}, make([]graph.Array, 1)) }()
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := e.Run(ctx, []graph.Array{x}, make([]graph.Array, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run beside a long one: %v, must be context.DeadlineExceeded", err)
	}
	close(finish)
	if err := <-first; err != nil {
		t.Errorf("the long run: %v", err)
	}
}

func TestAPanicInAKernelIsAnError(t *testing.T) {
	e, x := chain(t)
	withHook(t, func() { panic("oops") })
	if err := e.Run(t.Context(), []graph.Array{x}, make([]graph.Array, 1)); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("Run: %v, must name the panic", err)
	}
	withHook(t, func() {})
	sameBytes(t, "the next run", ran(t, e, 1, x)[0], x)
}

func TestACompileEndsWithItsContext(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Neg(in[0]) }), never, floats32(1))
	if _, err := New(Options{}).Compile(ended, m); !errors.Is(err, context.Canceled) {
		t.Errorf("Compile: %v, must be context.Canceled", err)
	}
}

// resizable is a model whose rows are resizable: it splits, joins, normalizes and
// multiplies them.
func resizable(t *testing.T) *graph.Model {
	b := graph.NewBuilder("resizable")
	x := b.Input("x", graph.Float32, -1, 8)
	y := b.Input("y", graph.Float32, -1, 8)
	weights := b.Const("w", random(seeded(t), graph.Float32, 16, 8))
	z := b.FullyConnected(b.Add(x, y), weights, graph.None, graph.ActRelu)
	b.Output("z", b.Softmax(b.Concat(1, z, b.Mul(x, x))))
	b.Output("x", x)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestResizableDimensionsGiveTheBytesOfAModelOfThatSize(t *testing.T) {
	m := resizable(t)
	e := compiled(t, m, 2)
	r := seeded(t)
	for _, rows := range []int{1, 7, 3, 200, 0, 1, 88} {
		x, y := random(r, graph.Float32, rows, 8), random(r, graph.Float32, rows, 8)
		got := ran(t, e, 2, x, y)
		fixed := *m
		fixed.Subgraphs = []graph.Subgraph{m.Subgraphs[0]}
		g := &fixed.Subgraphs[0]
		g.Tensors = append([]graph.Tensor(nil), g.Tensors...)
		for _, i := range g.Inputs {
			g.Tensors[i].Shape, g.Tensors[i].ShapeSignature = []int{rows, 8}, nil
		}
		want := ran(t, compiled(t, &fixed, 1), 2, x, y)
		for i := range want {
			sameBytes(t, "output", got[i], want[i])
		}
		sameBytes(t, "an input that is an output", got[1], x)
	}
}

func TestInputShapesThatDoNotGoTogetherAreRefusedAndForgotten(t *testing.T) {
	e := compiled(t, resizable(t), 2)
	good := graph.NewArray(graph.Float32, 3, 8)
	want := ran(t, e, 2, good, good)
	err := e.Run(t.Context(), []graph.Array{good, graph.NewArray(graph.Float32, 2, 8)}, make([]graph.Array, 2))
	if !errors.Is(err, delegate.ErrInput) {
		t.Errorf("Run: %v, must be ErrInput", err)
	}
	sameBytes(t, "the next run", ran(t, e, 2, good, good)[0], want[0])
}

func TestShapesThatCannotBePutBackCloseTheExecutableAndSayWhy(t *testing.T) {
	b := graph.NewBuilder("resizable")
	b.Output("y", hooked(b, b.Input("x", graph.Float32, -1, 2)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	e := compiled(t, m, 1)
	one, two := graph.NewArray(graph.Float32, 1, 2), graph.NewArray(graph.Float32, 2, 2)
	ran(t, e, 1, one)
	cause := errors.New("out of order")
	prepareHook = func() error { return cause }
	err = e.Run(t.Context(), []graph.Array{two}, make([]graph.Array, 1))
	prepareHook = func() error { return nil }
	if !errors.Is(err, cause) || errors.Is(err, delegate.ErrClosed) {
		t.Errorf("the run that breaks it: %v", err)
	}
	for range 2 {
		err := e.Run(t.Context(), []graph.Array{one}, make([]graph.Array, 1))
		if !errors.Is(err, delegate.ErrClosed) || !errors.Is(err, cause) {
			t.Errorf("a run after that: %v, must be ErrClosed and have the cause", err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAShapeMayDependOnData(t *testing.T) {
	b := graph.NewBuilder("late")
	x, shape := b.Input("x", graph.Float32, 12), b.Input("shape", graph.Int32, 2)
	reshaped := b.Op(schema.BuiltinOperatorRESHAPE, 0, &schema.ReshapeOptionsT{}, []graph.T{b.Neg(x), shape}, graph.Tensor{Type: graph.Float32, Shape: []int{12, 1}, HasRank: true})[0]
	b.Output("mean", b.Mean(b.Add(reshaped, reshaped), []int{0}, false))
	b.Output("reshaped", reshaped)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	e := compiled(t, m, 2)
	values := floats32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	for range 2 {
		got := ran(t, e, 2, values, ints32(3, 4))
		same(t, got[0], tensorOf(floats32(-8, -10, -12, -14)), 0)
		got = ran(t, e, 2, values, ints32(-1, 6))
		same(t, got[0], tensorOf(floats32(-6, -8, -10, -12, -14, -16)), 0)
		if got[1].Shape[0] != 2 || got[1].Shape[1] != 6 {
			t.Errorf("reshaped to %v, must be [2 6]", got[1].Shape)
		}
		if err := e.Run(t.Context(), []graph.Array{values, ints32(5, 5)}, make([]graph.Array, 2)); err == nil {
			t.Error("12 elements were reshaped to 5×5")
		}
	}
}

func TestOutputsMayBeInputsConstantsEachOtherAndReadByOthers(t *testing.T) {
	b := graph.NewBuilder("outputs")
	x := b.Input("x", graph.Float32, 2, 2)
	c := b.Const("c", floats32(5, 6))
	y := b.Neg(x)
	z := b.Reshape(y, 4)
	b.Output("c", c)
	b.Output("x", x)
	b.Output("y", y)
	b.Output("z", z)
	b.Output("w", b.Neg(b.Reshape(z, 2, 2)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	// The same tensor twice: the builder has no reason to make it.
	g := &m.Subgraphs[0]
	g.Outputs = append(g.Outputs, g.Outputs[2])
	in := arrayOf(graph.Float32, []float32{1, 2, 3, 4}, 2, 2)
	e := compiled(t, m, 1)
	for _, room := range []int{0, 64} {
		out := make([]graph.Array, 6)
		for i := range out {
			out[i].Data = graph.AlignedBytes(room)[:0]
		}
		if err := e.Run(t.Context(), []graph.Array{in}, out); err != nil {
			t.Fatal(err)
		}
		for i, want := range []graph.Array{
			floats32(5, 6), in, arrayOf(graph.Float32, []float32{-1, -2, -3, -4}, 2, 2), floats32(-1, -2, -3, -4), in, arrayOf(graph.Float32, []float32{-1, -2, -3, -4}, 2, 2),
		} {
			sameBytes(t, "output", out[i], want)
		}
		out[2].Data[0]++
		if out[5].Data[0] == out[2].Data[0] || out[3].Data[0] == out[2].Data[0] {
			t.Error("two outputs share memory")
		}
	}
}

func TestImpossibleValuesEndTheRunAndTheNextOneWorks(t *testing.T) {
	table := floats32(1, 2, 3)
	gather, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Gather(in[0], in[1], 0) }), func(i int) bool { return i == 0 }, table, ints32(0, 0))
	divide, _ := modelOf(t, op(schema.BuiltinOperatorFLOOR_DIV, nil, graph.Tensor{Type: graph.Int32, Shape: []int{2}}), func(i int) bool { return i == 0 }, ints32(7, 7), ints32(1, 1))
	for name, c := range map[string]struct {
		m         *graph.Model
		bad, good graph.Array
		want      graph.Array
	}{
		"an index that is too large": {gather, ints32(0, 3), ints32(2, 0), floats32(3, 1)},
		"an index below 0":           {gather, ints32(-1, 0), ints32(1, 1), floats32(2, 2)},
		"a division by 0":            {divide, ints32(1, 0), ints32(2, -2), ints32(3, -4)},
	} {
		e := compiled(t, c.m, 2)
		if err := e.Run(t.Context(), []graph.Array{c.bad}, make([]graph.Array, 1)); err == nil {
			t.Errorf("%s: no error", name)
		}
		sameBytes(t, name+", the next run", ran(t, e, 1, c.good)[0], c.want)
	}
}

func TestInputsNeedNotBeAligned(t *testing.T) {
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Neg(in[0]) }), never, floats32(1, 2))
	x := floats32(1, 2)
	x.Data = append(make([]byte, 1, 16), x.Data...)[1:]
	sameBytes(t, "output", ran(t, compiled(t, m, 1), 1, x)[0], floats32(-1, -2))
}

func TestStateAndSparseOperandsAreRefused(t *testing.T) {
	for name, change := range map[string]func(x *graph.Tensor){
		"a variable": func(x *graph.Tensor) { x.IsVariable = true },
		"sparse":     func(x *graph.Tensor) { x.Sparsity = &schema.SparsityParametersT{} },
	} {
		m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Neg(in[0]) }), never, floats32(1, 2))
		change(&m.Subgraphs[0].Tensors[m.Subgraphs[0].Inputs[0]])
		if r := New(Options{}).Supports(m, 0, 0); r == nil || r.Reason != delegate.ReasonConstant {
			t.Errorf("%s: Supports says %v, must refuse by reason %q", name, r, delegate.ReasonConstant)
		}
	}
}

func TestARefusalNamesTheTypesThatAreTaken(t *testing.T) {
	m, _ := modelOf(t, op(schema.BuiltinOperatorSIN, nil, graph.Tensor{Type: graph.Int32, Shape: []int{2}}), never, ints32(1, 2))
	r := New(Options{}).Supports(m, 0, 0)
	if r == nil || r.Reason != delegate.ReasonType || !strings.Contains(r.Detail, "INT32") || !strings.Contains(r.Detail, "FLOAT32") {
		t.Errorf("Supports says %v", r)
	}
}

func TestSizesThatNoFileJustifiesAreErrors(t *testing.T) {
	fill := func(shape ...int32) *graph.Model {
		m, _ := modelOf(t, op(schema.BuiltinOperatorFILL, nil, graph.Tensor{Type: graph.Float32, Shape: []int{1}}), always, ints32(shape...), graph.Array{Type: graph.Float32, Shape: []int{}, Data: floats32(1).Data})
		return m
	}
	for _, shape := range [][]int32{{1 << 30, 1 << 30, 1 << 30}, {1 << 30}, {-1}} {
		if _, err := New(Options{}).Compile(t.Context(), fill(shape...)); err == nil {
			t.Errorf("an array of shape %v was made of one number", shape)
		}
	}
	// A large array from a small constant is computed in each run.
	e := compiled(t, fill(1<<20), 1)
	if n := len(e.(*executable).nodes); n != 1 {
		t.Errorf("%d operators are left to run, must be 1", n)
	}
	if got := ran(t, e, 1)[0]; len(got.Data) != 4<<20 {
		t.Errorf("%d bytes, must be 4 MiB", len(got.Data))
	}
}

func TestWorkingMemoryThatNoFileJustifiesIsAnError(t *testing.T) {
	b := graph.NewBuilder("resize")
	b.Output("y", b.ResizeBilinear(b.Input("x", graph.Float32, 1, 1, 1, 1), 1<<28, 1, false, false)) // finds lines by a list of 6 GiB
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{}).Compile(t.Context(), m); err == nil || !strings.Contains(err.Error(), "working memory") {
		t.Errorf("Compile: %v", err)
	}
}

func TestPreparingAgainReplacesReservationsAndRunsToItsEnd(t *testing.T) {
	given := make(chan struct{})
	close(given)
	shared := &budget{}
	sizes := []int{maxWorkBytes / 2, maxWorkBytes / 4, maxWorkBytes + 1, 100}
	n := &node{budget: shared, pool: &pool{done: given}, kernel: &kernel{prepare: func(n *node) (compute, error) {
		if n.pool.stopped() {
			t.Error("loops in prepare may be left half-way")
		}
		size := sizes[0]
		sizes = sizes[1:]
		return nil, n.work(size, 1)
	}}}
	for _, want := range []int{maxWorkBytes / 2, maxWorkBytes / 4, 0, 100} {
		_, err := n.prepared()
		if shared.used != want || (err != nil) != (want == 0) {
			t.Errorf("%d bytes are reserved, error %v; must be %d", shared.used, err, want)
		}
	}
	if !n.pool.stopped() {
		t.Error("the run goes on although it was given up")
	}
	if err := n.work(maxWorkBytes-50, 1); err == nil {
		t.Error("more was reserved than there is")
	}
}

func TestValuesThatLiveAtTheSameTimeDoNotOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var values []*value
		steps := 1 + r.IntN(30)
		for range r.IntN(40) {
			first := r.IntN(steps)
			values = append(values, &value{size: r.IntN(5000), first: first, last: first + r.IntN(5)})
		}
		total := planArena(values)
		most := 0
		for step := range steps + 5 {
			live := 0
			for _, v := range values {
				if v.first <= step && step <= v.last {
					live += v.size
				}
			}
			most = max(most, live)
		}
		if total < most {
			t.Fatalf("%d bytes for values that take %d at once", total, most)
		}
		sum := 0
		for i, v := range values {
			sum += (v.size + 63) / 64 * 64
			if v.offset%64 != 0 || v.offset+v.size > total {
				t.Fatalf("value at %d of size %d in an arena of %d", v.offset, v.size, total)
			}
			for _, w := range values[:i] {
				if v.first <= w.last && w.first <= v.last && v.offset < w.offset+w.size && w.offset < v.offset+v.size {
					t.Fatalf("values at %d+%d and %d+%d live at the same time", v.offset, v.size, w.offset, w.size)
				}
			}
		}
		if total > sum {
			t.Fatalf("%d bytes, more than the sum %d", total, sum)
		}
	}
}
