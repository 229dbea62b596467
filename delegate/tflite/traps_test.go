//go:build tflite

package tflite

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	gotflite "github.com/tphakala/go-tflite"
	"github.com/tphakala/go-tflite/delegates/xnnpack"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// One test for each way in which go-tflite hurts who uses it as it offers
// itself. Messages, scalars, early frees and what ends the process have theirs
// in executable_test.go; running while closing is in delegate/delegatetest.

// go-tflite copies as many bytes as the tensor has, whatever the slice has.
func TestShortAndLongInputsAreRefusedAndNothingIsOverrun(t *testing.T) {
	e := open(t, model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 4)
		b.Output("y", b.Add(x, x))
	}), Options{Threads: 1})
	for _, size := range []int{0, 15, 17, 32} {
		in := []graph.Array{{Type: graph.Float32, Shape: []int{4}, Data: make([]byte, size)}}
		if err := e.Run(t.Context(), in, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrInput) {
			t.Errorf("%d bytes for 16: %v", size, err)
		}
	}
	// An output gets its own memory when what it is given is too small.
	guard := slices.Repeat([]byte{0xa5}, 32)
	out := []graph.Array{{Data: guard[:8:8]}}
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 4)}, out); err != nil {
		t.Fatal(err)
	}
	if len(out[0].Data) != 16 || !slices.Equal(guard[8:], slices.Repeat([]byte{0xa5}, 24)) {
		t.Errorf("an output of %d bytes; memory behind the room: %x", len(out[0].Data), guard[8:])
	}
}

// counted is a delegate that counts how often it is deleted.
type counted struct {
	Delegate
	deleted *int
}

func (c counted) Delete() {
	*c.deleted++
	c.Delegate.Delete()
}

// go-tflite leaves options and delegates alone when there is no interpreter.
func TestADelegateIsDeletedOnceAlsoWhenThereIsNoInterpreter(t *testing.T) {
	deleted := 0
	config := Config{Name: "test", Threads: 1, Delegate: func() (Delegate, error) {
		return counted{xnnpack.New(xnnpack.DelegateOptions{NumThreads: 1}).(*xnnpack.Delegate), &deleted}, nil
	}}
	if _, err := Compile(t.Context(), badReshape(), config); err == nil {
		t.Fatal("was compiled")
	}
	if deleted != 1 {
		t.Errorf("deleted %d times", deleted)
	}
	deleted = 0
	e, err := Compile(t.Context(), model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 4)
		b.Output("y", b.Add(x, x))
	}), config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if deleted != 1 {
		t.Errorf("deleted %d times", deleted)
	}
}

// A delegate that cannot be made is an error, and nothing is left of the rest.
func TestADelegateThatCannotBeMadeIsTheError(t *testing.T) {
	broken := errors.New("no such chip")
	_, err := Compile(t.Context(), model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 4)
		b.Output("y", b.Add(x, x))
	}), Config{Name: "test", Threads: 1, Delegate: func() (Delegate, error) { return nil, broken }})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// go-tflite names two statuses, and its Error has the value of OK.
func TestStatusesHaveTheLibrarysNames(t *testing.T) {
	if gotflite.Error != gotflite.OK {
		t.Error("go-tflite's Error is no longer OK; statusError may go")
	}
	e := &executable{messages: newMessages()}
	defer e.Close()
	for status, want := range map[gotflite.Status]string{1: "error", 7: "unresolved operator", 8: "cancelled", 42: "status 42"} {
		if got := e.failure("running", status).Error(); got != "running: "+want {
			t.Errorf("status %d is %q", status, got)
		}
	}
}

// Interpreters that share options hang when one is deleted; ours share nothing.
func TestInterpretersOfOneSegmentComeAndGoAlone(t *testing.T) {
	m := model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 8, 8)
		b.Output("y", b.FullyConnected(x, x, graph.None, graph.ActNone))
	})
	config := Config{Name: "test", Threads: 2, Delegate: func() (Delegate, error) {
		return xnnpack.New(xnnpack.DelegateOptions{NumThreads: 2}).(*xnnpack.Delegate), nil
	}}
	stays, err := Compile(t.Context(), m, config)
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	var wg sync.WaitGroup
	for range 10 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			goes, err := Compile(t.Context(), m, config)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(goes.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 8, 8)}, make([]graph.Array, 1)), goes.Close()); err != nil {
				t.Error(err)
			}
			if err := stays.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 8, 8)}, make([]graph.Array, 1)); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

// An output of a closed interpreter would be freed memory; ours are copies.
func TestOutputsOutliveTheirExecutable(t *testing.T) {
	e := open(t, model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 1024)
		b.Output("y", b.Add(x, graph.ConstOf(b, "one", []float32{1}, 1)))
	}), Options{Threads: 1})
	out := make([]graph.Array, 1)
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 1024)}, out); err != nil {
		t.Fatal(err)
	}
	before := uintptr(unsafe.Pointer(unsafe.SliceData(out[0].Data)))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if got := graph.View[float32](out[0].Data); before == 0 || slices.Max(got) != 1 || slices.Min(got) != 1 {
		t.Error("the output changed when its executable was closed")
	}
}

func TestTheErrorOfABadModelNamesTheBackend(t *testing.T) {
	if _, err := Compile(t.Context(), badReshape(), Config{Name: "npu", Threads: 1}); err == nil || !strings.HasPrefix(err.Error(), "npu: bad.tflite: ") {
		t.Errorf("got %v", err)
	}
}
