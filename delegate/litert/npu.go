//go:build tflite

package litert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/graph"
)

// compilerDeadline is shorter than what a worker gets to compile in
// (isolate.Options): the message of the compiler's own end says more.
const compilerDeadline = 4 * time.Minute

// compileForNPU makes a segment ready for an NPU, from code that it brought along
// or by compiling it now.
func (b *backend) compileForNPU(ctx context.Context, l *library, segment *graph.Model, code []byte) (delegate.Executable, error) {
	if code == nil {
		var err error
		code, err = b.jit(ctx, segment)
		if errors.Is(err, compiler.ErrNothing) {
			return b.allLeft(l, segment)
		}
		if err != nil {
			return nil, err
		}
	}
	c, err := compiler.Read(code, segment)
	if err != nil {
		return nil, err
	}
	if t := b.options.Target; t.Model != "" && !strings.EqualFold(c.Target.String(), t.String()) {
		return nil, fmt.Errorf("it was compiled for %v, and the chip here is %v: %w", c.Target, t, delegate.ErrUnsupported)
	}
	environment, err := b.npu(l, c.Target.Manufacturer)
	if err != nil {
		return nil, fmt.Errorf("it is compiled for %v: %w", c.Target, err)
	}
	e, err := newExecutable(environment, code, &compiler.Fixed(segment).Subgraphs[0], b.options.Threads)
	if err != nil {
		return nil, err
	}
	taken := delegate.Taken{Operators: len(segment.Subgraphs[0].Ops), Left: c.Left, Partitions: c.Partitions}
	if !resizable(&segment.Subgraphs[0]) {
		return delegated{e, taken}, nil
	}
	return delegated{&sized{npu: e, inputs: inputsOf(&segment.Subgraphs[0]), otherwise: func() (*executable, error) {
		environment, err := l.environment(false, "")
		if err != nil {
			return nil, err
		}
		return b.onCPU(environment, segment)
	}}, taken}, nil
}

// jit compiles a segment for the options' chip, or finds it in the cache.
func (b *backend) jit(ctx context.Context, segment *graph.Model) ([]byte, error) {
	target := b.options.Target
	if target.Manufacturer == "" {
		return nil, fmt.Errorf("nothing says for which NPU: set options soc_manufacturer and soc, or compile the bundle ahead of time: %w", delegate.ErrUnsupported)
	}
	key := b.cache.key(segment, target, b.options.Flags, b.options.Package)
	if code := b.cache.get(key); code != nil {
		if _, err := compiler.Read(code, segment); err == nil { // or the file is broken
			return code, nil
		}
	}
	code, _, err := compiler.Compile(ctx, segment, target, compiler.Options{Package: b.options.Package, Flags: b.options.Flags, Deadline: compilerDeadline})
	if err != nil {
		return nil, err
	}
	b.cache.put(key, code)
	return code, nil
}

// allLeft runs a segment on the CPU of which the NPU takes nothing.
func (b *backend) allLeft(l *library, segment *graph.Model) (delegate.Executable, error) {
	environment, err := l.environment(false, "")
	if err != nil {
		return nil, err
	}
	e, err := b.onCPU(environment, segment)
	if err != nil {
		return nil, err
	}
	taken := delegate.Taken{Operators: len(segment.Subgraphs[0].Ops)}
	for i := range segment.Subgraphs[0].Ops {
		taken.Left = append(taken.Left, i)
	}
	return delegated{e, taken}, nil
}

// delegated is an executable on an NPU.
type delegated struct {
	delegate.Executable
	taken delegate.Taken
}

// Taken implements delegate.Delegated.
func (d delegated) Taken() delegate.Taken { return d.taken }
