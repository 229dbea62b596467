//go:build unix

package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"nanoflux/delegate"
	"nanoflux/delegate/shared"
	"nanoflux/graph"
)

// workerSocket is the worker's file descriptor of the socket.
const workerSocket = 3

// Serve is the worker: it answers the parent's requests until the parent is
// gone, and returns an error when there is no parent.
func Serve() error {
	if os.Getenv(WorkerEnvironment) == "" {
		return errors.New("a worker is started by nanoflux itself, not by hand: it has no socket to its parent")
	}
	unix.CloseOnExec(workerSocket)
	// A crash here is an expected event: no memory image of it.
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	s, err := newSocket(os.NewFile(workerSocket, "parent"))
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w := &worker{socket: s, regions: map[uint64]*shared.Region{}, running: map[uint64]context.CancelFunc{}, executables: map[uint64]*served{}}
	return w.serve()
}

type worker struct {
	socket  *socket
	backend delegate.Backend

	mutex       sync.Mutex
	regions     map[uint64]*shared.Region
	running     map[uint64]context.CancelFunc
	executables map[uint64]*served
}

// served is an executable and what it needs mapped.
type served struct {
	executable delegate.Executable
	maps       [][]byte
}

// serve reads requests. What takes long is answered from a goroutine of its own,
// so that a cancellation, or the parent's end, is seen at once.
func (w *worker) serve() error {
	for {
		var r request
		if err := w.socket.receive(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil // the parent is gone or done
			}
			return fmt.Errorf("worker: %w", err)
		}
		switch r.Action {
		case actionMap:
			if err := w.takeRegion(&r); err != nil {
				return fmt.Errorf("worker: %w", err)
			}
		case actionUnmap:
			w.dropRegion(r.Region)
		case actionCancel:
			w.mutex.Lock()
			if cancel := w.running[r.Of]; cancel != nil {
				cancel()
			}
			w.mutex.Unlock()
		default:
			ctx, cancel := context.WithCancel(context.Background())
			w.mutex.Lock()
			w.running[r.Seq] = cancel
			w.mutex.Unlock()
			go w.answer(ctx, &r)
		}
	}
}

func (w *worker) answer(ctx context.Context, r *request) {
	a := reply{Seq: r.Seq}
	a.Failure = toFailure(w.do(ctx, r, &a))
	w.mutex.Lock()
	w.running[r.Seq]()
	delete(w.running, r.Seq)
	w.mutex.Unlock()
	// Without a parent there is nobody to tell; serve ends then.
	_ = w.socket.send(&a, nil)
}

func (w *worker) do(ctx context.Context, r *request, a *reply) (err error) {
	if w.backend == nil && r.Action != actionOpen {
		return errors.New("worker: no backend was opened")
	}
	switch r.Action {
	case actionOpen:
		w.backend, err = delegate.Open(r.Kind, r.Options)
	case actionProbe:
		a.Device, err = w.backend.Probe(ctx)
	case actionCompile:
		err = w.compile(ctx, r, a)
	case actionRun:
		err = w.run(ctx, r, a)
	case actionClose:
		err = w.closeExecutable(r.Executable)
	default:
		err = fmt.Errorf("worker: unknown request %d", r.Action)
	}
	return err
}

func (w *worker) takeRegion(r *request) error {
	f, err := w.socket.file()
	if err != nil {
		return err
	}
	region, err := shared.Map(f, r.Size)
	if err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.regions[r.Region] = region
	return nil
}

func (w *worker) dropRegion(id uint64) {
	w.mutex.Lock()
	region := w.regions[id]
	delete(w.regions, id)
	w.mutex.Unlock()
	if region != nil {
		_ = region.Close() // nothing depends on it any more
	}
}

// view is a part of a region.
func (w *worker) view(id uint64, offset, length int) ([]byte, error) {
	if length == 0 { // a tensor without elements lies nowhere
		return nil, nil
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	r := w.regions[id]
	if r == nil || offset < 0 || length < 0 || offset > len(r.Data) || length > len(r.Data)-offset {
		return nil, fmt.Errorf("worker: %d bytes at %d of shared memory %d are not there", length, offset, id)
	}
	return r.Data[offset : offset+length : offset+length], nil
}

func (w *worker) compile(ctx context.Context, r *request, a *reply) error {
	if r.Segment == nil {
		return errors.New("worker: no segment to compile")
	}
	s := &served{}
	m, err := w.load(r.Segment, s)
	if err == nil {
		s.executable, err = w.backend.Compile(ctx, m)
	}
	if err != nil {
		return errors.Join(err, s.unmap())
	}
	if d, ok := s.executable.(delegate.Delegated); ok {
		taken := d.Taken()
		a.Taken = &taken
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.executables[r.Executable] = s
	return nil
}

// load puts a segment together from its structure and where its constants are.
func (w *worker) load(segment *segmentMessage, s *served) (*graph.Model, error) {
	for _, f := range segment.Files {
		data, err := mapPart(f)
		if err != nil {
			return nil, fmt.Errorf("worker: the weights of %s: %w", segment.Name, err)
		}
		s.maps = append(s.maps, data)
	}
	buffers := map[int]graph.Buffer{}
	for _, b := range segment.Buffers {
		if b.File < 0 {
			data, err := w.view(b.Region, int(b.Offset), b.Length)
			if err != nil {
				return nil, err
			}
			buffers[b.Buffer] = data
			continue
		}
		if b.File >= len(segment.Files) {
			return nil, fmt.Errorf("worker: there is no file %d", b.File)
		}
		f := segment.Files[b.File]
		from := b.Offset - pageBelow(f.First)
		data := s.maps[b.File]
		if from < 0 || b.Length < 0 || from > int64(len(data)) || int64(b.Length) > int64(len(data))-from {
			return nil, fmt.Errorf("worker: buffer %d lies outside its file", b.Buffer)
		}
		buffers[b.Buffer] = data[from : from+int64(b.Length) : from+int64(b.Length)]
	}
	var file []byte
	if len(s.maps) == 1 {
		file = s.maps[0]
	}
	return graph.ReadWith(segment.Structure, segment.Name, buffers, file)
}

// pageBelow is where the mapping of a part of a file begins.
func pageBelow(offset int64) int64 { return offset &^ int64(os.Getpagesize()-1) }

// mapPart maps the part of a file, if it is still the one that the parent has.
func mapPart(f fileMessage) (data []byte, err error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // the mapping stays
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Ino != f.Inode || f.First < 0 || f.Beyond > st.Size || f.First >= f.Beyond {
		return nil, fmt.Errorf("%s was replaced while it was in use; start again", f.Path)
	}
	first := pageBelow(f.First)
	return unix.Mmap(int(file.Fd()), first, int(f.Beyond-first), unix.PROT_READ, unix.MAP_SHARED)
}

func (s *served) unmap() error {
	var errs []error
	for _, data := range s.maps {
		errs = append(errs, unix.Munmap(data))
	}
	s.maps = nil
	return errors.Join(errs...)
}

func (w *worker) run(ctx context.Context, r *request, a *reply) error {
	w.mutex.Lock()
	s := w.executables[r.Executable]
	w.mutex.Unlock()
	if s == nil {
		return delegate.ErrClosed
	}
	inputs := make([]graph.Array, len(r.Inputs))
	for i, p := range r.Inputs {
		data, err := w.view(p.Region, p.Offset, p.Length)
		if err != nil {
			return err
		}
		inputs[i] = graph.Array{Type: p.Type, Shape: p.Shape, Data: data}
	}
	outputs := make([]graph.Array, len(r.Outputs))
	rooms := make([][]byte, len(r.Outputs))
	for i, p := range r.Outputs {
		data, err := w.view(p.Region, p.Offset, p.Length)
		if err != nil {
			return err
		}
		rooms[i] = data
		outputs[i].Data = data[:0:len(data)]
	}
	if err := s.executable.Run(ctx, inputs, outputs); err != nil {
		return err
	}
	for i, o := range outputs {
		out := result{Type: o.Type, Shape: o.Shape, Length: len(o.Data)}
		switch {
		case len(o.Data) == 0:
		case len(rooms[i]) < len(o.Data):
			out.Data, out.Copied = o.Data, len(o.Data)
		case &rooms[i][0] != &o.Data[0]: // a backend may not use the room it is given
			copy(rooms[i], o.Data)
			out.Copied = len(o.Data)
		}
		a.Outputs = append(a.Outputs, out)
	}
	return nil
}

func (w *worker) closeExecutable(id uint64) error {
	w.mutex.Lock()
	s := w.executables[id]
	delete(w.executables, id)
	w.mutex.Unlock()
	if s == nil {
		return nil
	}
	return errors.Join(s.executable.Close(), s.unmap())
}
