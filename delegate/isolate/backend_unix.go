//go:build unix

package isolate

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"nanoflux/delegate"
	"nanoflux/delegate/shared"
	"nanoflux/graph"
)

// Backend is a backend in a worker. Close ends the worker; a Backend that is
// forgotten has one until the program ends.
type Backend struct {
	inner   delegate.Backend
	kind    string
	options map[string]any
	start   Options
	copies  copied
	// unstoppable: cancelled calls end the worker (delegate.Unstoppable).
	unstoppable bool

	mutex  sync.Mutex
	worker *process
	failed error // why there can be no worker any more
	lastID uint64
	closed bool
}

// New isolates a kind of backend. inner is the same backend in this process; it
// is only asked for its name and what it supports, which loads nothing.
func New(inner delegate.Backend, kind string, options map[string]any, o Options) (*Backend, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	_, unstoppable := inner.(delegate.Unstoppable)
	return &Backend{inner: inner, kind: kind, options: options, start: o, unstoppable: unstoppable}, nil
}

// Name implements delegate.Backend.
func (b *Backend) Name() string { return b.inner.Name() }

// Remote implements delegate.Remote.
func (b *Backend) Remote() {}

// Supports implements delegate.Backend.
func (b *Backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return b.inner.Supports(m, sub, op)
}

// Probe implements delegate.Backend.
func (b *Backend) Probe(ctx context.Context) (delegate.Device, error) {
	a, err := b.ask(ctx, &request{Action: actionProbe})
	if err != nil {
		return delegate.Device{}, err
	}
	return a.Device, nil
}

// Compile implements delegate.Backend.
func (b *Backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	b.mutex.Lock()
	b.lastID++
	e := &executable{backend: b, id: b.lastID, segment: segment}
	b.mutex.Unlock()
	a, err := e.compile(ctx)
	if err != nil {
		return nil, err
	}
	e.prepare()
	if a.Taken != nil {
		return &delegated{e, *a.Taken}, nil
	}
	return e, nil
}

// compile compiles the segment in the worker that there is.
func (e *executable) compile(ctx context.Context) (*reply, error) {
	b := e.backend
	for {
		p, err := b.process(ctx)
		if err != nil {
			return nil, err
		}
		message, weights, err := b.describe(p, e.segment)
		if err != nil {
			return nil, err
		}
		a, err := b.finish(p.call(ctx.Done(), &request{Action: actionCompile, Executable: e.id, Segment: message}, b.start.CompileDeadline))
		if err == nil {
			e.process, e.weights = p, weights
			return a, nil
		}
		closeAll(weights)
		if ctx.Err() != nil || !p.isRetired() {
			return nil, ended(ctx, err)
		}
	}
}

// ended is the context's error when it has ended, whatever became of the call: a
// worker that was killed because it did not stop is lost for later calls.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// ask sends a request that is no run.
func (b *Backend) ask(ctx context.Context, r *request) (*reply, error) {
	for {
		p, err := b.process(ctx)
		if err != nil {
			return nil, err
		}
		a, err := b.finish(p.call(ctx.Done(), r, b.start.CompileDeadline))
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil || !p.isRetired() {
			return nil, ended(ctx, err)
		}
	}
}

// finish turns the worker's errors into ours.
func (b *Backend) finish(a *reply, err error) (*reply, error) {
	if err == nil {
		err = a.Failure.err()
	}
	return a, err
}

// process is the worker, started at the first need. One that was lost is not
// started again: its device is in an unknown state. One that was retired has a
// successor.
func (b *Backend) process(ctx context.Context) (*process, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch {
	case b.closed:
		return nil, fmt.Errorf("%s: %w", b.kind, delegate.ErrClosed)
	case b.failed != nil:
		return nil, b.failed
	case b.worker != nil && !b.worker.isRetired():
		return b.worker, nil
	}
	p, err := start(b.kind, b.unstoppable, b.start)
	if err != nil {
		b.failed = err
		return nil, err
	}
	a, err := p.call(ctx.Done(), &request{Action: actionOpen, Kind: b.kind, Options: b.options}, b.start.CompileDeadline)
	if err == nil {
		err = a.Failure.err()
	}
	if err != nil {
		p.stop()
		if ctx.Err() == nil {
			b.failed = err
		}
		return nil, err
	}
	b.worker = p
	return p, nil
}

// Close ends the worker. Executables give ErrClosed or ErrLost after that.
func (b *Backend) Close() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.closed = true
	if b.worker != nil {
		b.worker.stop()
		b.worker = nil
	}
	return nil
}

// largeConstant: smaller constants go with the structure.
const largeConstant = 4096

// describe is a segment as the worker gets it. Constants that lie in no file
// that the worker could map are put into shared memory, which is returned.
func (b *Backend) describe(p *process, m *graph.Model) (*segmentMessage, []*shared.Region, error) {
	message := &segmentMessage{Name: m.Name}
	var weights []*shared.Region
	files := readMappings()
	index := map[string]int{}
	for i, data := range m.Buffers {
		if len(data) < largeConstant {
			continue
		}
		if file, offset, ok := files.find(data); ok && unchanged(file) {
			k, known := index[file.path]
			if !known {
				k = len(message.Files)
				index[file.path] = k
				message.Files = append(message.Files, fileMessage{Path: file.path, Inode: file.inode, First: offset - 4, Beyond: offset})
			}
			f := &message.Files[k]
			// The four bytes before a constant are its length in a model file.
			f.First, f.Beyond = max(0, min(f.First, offset-4)), max(f.Beyond, offset+int64(len(data)))
			message.Buffers = append(message.Buffers, bufferMessage{Buffer: i, File: k, Offset: offset, Length: len(data)})
			continue
		}
		region, err := shared.New(len(data))
		if err == nil {
			copy(region.Data, data)
			weights = append(weights, region)
			err = p.give(region)
		}
		if err != nil {
			closeAll(weights)
			return nil, nil, err
		}
		message.Buffers = append(message.Buffers, bufferMessage{Buffer: i, File: -1, Region: region.ID, Length: len(data)})
	}
	apart := func(i int) bool {
		return slices.ContainsFunc(message.Buffers, func(b bufferMessage) bool { return b.Buffer == i })
	}
	var err error
	if message.Structure, err = graph.Structure(m, apart); err != nil {
		closeAll(weights)
		return nil, nil, err
	}
	return message, weights, nil
}

// unchanged says whether the path still leads to the mapped file.
func unchanged(f *mappedFile) bool {
	var st unix.Stat_t
	return unix.Stat(f.path, &st) == nil && st.Ino == f.inode
}

func closeAll(regions []*shared.Region) {
	for _, r := range regions {
		_ = r.Close() // memory only
	}
}
