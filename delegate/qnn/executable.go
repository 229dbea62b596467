//go:build tflite

package qnn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// maxSessions is how many sets of shapes an executable keeps compiled.
const maxSessions = 8

// executable is a compiled segment. An NPU's graph cannot be stopped: a run whose
// context ends goes on behind the caller, and the next one waits for it. In a
// process of its own that process is ended instead (delegate.Unstoppable).
type executable struct {
	backend *Backend
	segment *graph.Model
	// code was made of the segment ahead of time, for the shapes that it
	// declares; nil for none.
	code  []byte
	types []graph.TensorType

	turn     chan struct{} // holds one element while nobody runs
	closing  sync.Once
	closed   chan struct{}
	sessions map[string]*session
	recent   []string // keys of sessions, the last used last
}

func newExecutable(b *Backend, segment *graph.Model, code []byte) (*executable, error) {
	e := &executable{backend: b, segment: segment, code: code, turn: make(chan struct{}, 1), closed: make(chan struct{}), sessions: map[string]*session{}}
	g := &segment.Subgraphs[0]
	for _, t := range g.Outputs {
		e.types = append(e.types, g.Tensors[t].Type)
	}
	var shapes [][]int
	for _, t := range g.Inputs {
		shapes = append(shapes, g.Tensors[t].Shape)
	}
	if _, err := e.session(shapes); err != nil {
		return nil, err
	}
	e.turn <- struct{}{}
	return e, nil
}

// session is the one for these shapes of inputs. The caller has the turn.
func (e *executable) session(shapes [][]int) (*session, error) {
	key := fmt.Sprint(shapes)
	for i, k := range e.recent {
		if k == key {
			e.recent = append(append(e.recent[:i:i], e.recent[i+1:]...), key)
			return e.sessions[key], nil
		}
	}
	code := e.code
	e.code = nil // it is for the first shapes, those of the segment
	s, err := e.backend.session(e.segment, shapes, code)
	if err != nil {
		return nil, err
	}
	if len(e.recent) == maxSessions {
		old := e.recent[0]
		e.recent = e.recent[1:]
		_ = e.sessions[old].close() // it was made and used: nothing to tell
		delete(e.sessions, old)
	}
	e.sessions[key] = s
	e.recent = append(e.recent, key)
	return s, nil
}

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	g := &e.segment.Subgraphs[0]
	if len(inputs) != len(g.Inputs) || len(outputs) != len(g.Outputs) {
		return fmt.Errorf("qnn: %s: %w: %d inputs and %d outputs, must be %d and %d", e.segment.Name, delegate.ErrInput, len(inputs), len(outputs), len(g.Inputs), len(g.Outputs))
	}
	shapes := make([][]int, len(inputs))
	for i, a := range inputs {
		if err := delegate.CheckInput(&g.Tensors[g.Inputs[i]], a); err != nil {
			return fmt.Errorf("qnn: %s: input %d: %w", e.segment.Name, i, err)
		}
		shapes[i] = a.Shape
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-e.closed:
		return delegate.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case <-e.turn:
	}
	select {
	case <-e.closed: // Close may have come while this call waited
		e.turn <- struct{}{}
		return delegate.ErrClosed
	default:
	}
	s, err := e.session(shapes)
	if err != nil {
		e.turn <- struct{}{}
		return fmt.Errorf("qnn: %s: shapes %v: %w", e.segment.Name, shapes, err)
	}
	s.take(inputs)
	options, err := ort.NewRunOptions()
	if err != nil {
		e.turn <- struct{}{}
		return fmt.Errorf("qnn: %s: %w", e.segment.Name, err)
	}
	done := make(chan error)
	left := make(chan struct{})
	go func() {
		err := s.compute(options)
		select {
		case done <- err: // the caller reads the results, and ends the turn
		case <-left:
			_ = options.Destroy()
			e.turn <- struct{}{}
		}
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = options.Terminate() // helps between parts of a graph only
		close(left)
		return ctx.Err()
	}
	if err == nil {
		s.give(outputs, e.types)
	}
	err = errors.Join(err, options.Destroy())
	e.turn <- struct{}{}
	if err != nil {
		return fmt.Errorf("qnn: %s: %w", e.segment.Name, err)
	}
	return nil
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	var err error
	e.closing.Do(func() {
		close(e.closed)
		<-e.turn
		for _, s := range e.sessions {
			err = errors.Join(err, s.close())
		}
		e.sessions, e.recent = nil, nil
		e.turn <- struct{}{}
	})
	return err
}
