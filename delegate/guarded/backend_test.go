package guarded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// fake is a backend that does as it is told.
type fake struct {
	compile, run error
	compiled     int
	// during is called in the middle of a run.
	during func()
}

func (f *fake) Name() string { return "fake" }
func (f *fake) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{Description: "fake"}, nil
}
func (f *fake) Supports(*graph.Model, int, int) *delegate.Refusal { return nil }
func (f *fake) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	f.compiled++
	return f, f.compile
}
func (f *fake) Run(context.Context, []graph.Array, []graph.Array) error {
	if f.during != nil {
		f.during()
	}
	return f.run
}
func (f *fake) Close() error { return nil }

func segment(t *testing.T, n int) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("segment")
	x := b.Input("x", graph.Float32, n)
	b.Output("y", b.Add(x, x))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// keyOf is a segment's key on a fake.
func keyOf(t *testing.T, m *graph.Model) journal.Key {
	t.Helper()
	device, err := (&fake{}).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return journal.KeyOf(m, journal.Backend{Kind: "fake", Device: device}.Identity())
}

// try compiles and runs once.
func try(t *testing.T, j *journal.Journal, f *fake, m *graph.Model, options map[string]any) error {
	t.Helper()
	e, err := New(f, Options{Kind: "fake", Options: options, Journal: j}).Compile(t.Context(), m)
	if err != nil {
		return err
	}
	return errors.Join(e.Run(t.Context(), nil, nil), e.Close())
}

func TestASegmentThatTookItsBackendDownIsNotTriedAgain(t *testing.T) {
	lost := &delegate.LostError{Backend: "fake", Cause: "killed by SIGSEGV"}
	for name, f := range map[string]*fake{"at Compile": {compile: lost}, "in a run": {run: lost}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "folder", "journal")
			if err := try(t, journal.Open(path), f, segment(t, 4), nil); !errors.Is(err, delegate.ErrLost) {
				t.Fatal(err)
			}
			// The next start of the program.
			good := &fake{}
			err := try(t, journal.Open(path), good, segment(t, 4), nil)
			if !errors.Is(err, ErrRemembered) || !strings.Contains(err.Error(), "killed by SIGSEGV") || !strings.Contains(err.Error(), "doctor --forget") || good.compiled != 0 {
				t.Errorf("got %v after %d compiles", err, good.compiled)
			}
			if err := try(t, journal.Open(path), good, segment(t, 5), nil); err != nil {
				t.Errorf("another segment: %v", err)
			}
			if err := try(t, journal.Open(path), good, segment(t, 4), map[string]any{"fp16": true}); err != nil {
				t.Errorf("other options: %v", err)
			}
			if _, err := journal.Open(path).Forget(); err != nil {
				t.Fatal(err)
			}
			if err := try(t, journal.Open(path), good, segment(t, 4), nil); err != nil {
				t.Errorf("forgotten: %v", err)
			}
		})
	}
}

func TestALossInALaterRunIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f := &fake{}
	e, err := New(f, Options{Kind: "fake", Journal: journal.Open(path)}).Compile(t.Context(), segment(t, 4))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context(), nil, nil); err != nil {
		t.Fatal(err)
	}
	f.run = &delegate.LostError{Backend: "fake", Cause: "hung"}
	if err := e.Run(t.Context(), nil, nil); !errors.Is(err, delegate.ErrLost) {
		t.Fatal(err)
	}
	if err := try(t, journal.Open(path), &fake{}, segment(t, 4), nil); !errors.Is(err, ErrRemembered) {
		t.Errorf("got %v", err)
	}
}

// A program that is ended between Compile and the first run, or long after it,
// says nothing of the segment; one that is ended in a run does.
func TestOnlyACallThatDidNotComeBackIsACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	crashed := func() *journal.Crash {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// As if the process that wrote it were gone.
		own := regexp.MustCompile(`(START|END) ([0-9a-f]+) [0-9@]+ `)
		other := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(other, own.ReplaceAll(text, []byte("$1 $2 0 ")), 0o600); err != nil {
			t.Fatal(err)
		}
		return journal.Open(other).Crashed(keyOf(t, segment(t, 4)))
	}
	f := &fake{}
	e, err := New(f, Options{Kind: "fake", Journal: journal.Open(path)}).Compile(t.Context(), segment(t, 4))
	if err != nil {
		t.Fatal(err)
	}
	if c := crashed(); c != nil {
		t.Errorf("after Compile: %v", c)
	}
	f.during = func() {
		if crashed() == nil {
			t.Error("in the first run: no crash")
		}
	}
	for range 2 {
		if err := e.Run(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if c := crashed(); c != nil {
			t.Errorf("after a run: %v", c)
		}
		f.during = nil
	}
}

func TestOnlyTheSegmentThatTookTheBackendDownIsBlamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f := &fake{}
	b := New(f, Options{Kind: "fake", Journal: journal.Open(path)})
	var list []delegate.Executable
	for n := range 2 {
		e, err := b.Compile(t.Context(), segment(t, 4+n))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	f.run = &delegate.LostError{Backend: "fake", Cause: "gone"}
	for _, e := range list {
		if err := e.Run(t.Context(), nil, nil); !errors.Is(err, delegate.ErrLost) {
			t.Fatal(err)
		}
	}
	if err := try(t, journal.Open(path), &fake{}, segment(t, 4), nil); !errors.Is(err, ErrRemembered) {
		t.Errorf("the first: %v", err)
	}
	if err := try(t, journal.Open(path), &fake{}, segment(t, 5), nil); err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestAnotherLibraryIsAnotherAttempt(t *testing.T) {
	dir := t.TempDir()
	path, library := filepath.Join(dir, "journal"), filepath.Join(dir, "lib.so")
	options := map[string]any{"library": library}
	if err := os.WriteFile(library, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	_ = try(t, journal.Open(path), &fake{run: &delegate.LostError{Cause: "x"}}, segment(t, 4), options)
	if err := try(t, journal.Open(path), &fake{}, segment(t, 4), options); !errors.Is(err, ErrRemembered) {
		t.Fatal(err)
	}
	if err := os.WriteFile(library, []byte("22"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := try(t, journal.Open(path), &fake{}, segment(t, 4), options); err != nil {
		t.Error(err)
	}
}

func TestWhatOnlyFailedIsTriedAgain(t *testing.T) {
	j := journal.Open(filepath.Join(t.TempDir(), "journal"))
	for range 2 {
		f := &fake{compile: errors.New("out of memory")}
		if err := try(t, j, f, segment(t, 4), nil); f.compiled != 1 {
			t.Error(err)
		}
	}
}

// partly is an executable of which its delegate left operators.
type partly struct {
	*fake
	left []int
}

func (p *partly) Compile(context.Context, *graph.Model) (delegate.Executable, error) { return p, nil }
func (p *partly) Taken() delegate.Taken                                              { return delegate.Taken{Operators: 1, Left: p.left} }

func TestWhatADelegateLeftIsRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	e, err := New(&partly{&fake{}, []int{0}}, Options{Kind: "fake", Journal: journal.Open(path)}).Compile(t.Context(), segment(t, 4))
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := e.(delegate.Delegated); !ok || len(d.Taken().Left) != 1 {
		t.Errorf("%T", e)
	}
	b := New(&fake{}, Options{Kind: "fake", Journal: journal.Open(path)}).(*Backend)
	if _, err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := b.LeftBefore(segment(t, 4)); len(left) != 1 || left[0] != 0 {
		t.Errorf("left %v", left)
	}
	if left := b.LeftBefore(segment(t, 5)); left != nil {
		t.Errorf("of another segment %v", left)
	}
}

// remote is a backend in another process.
type remote struct{ *fake }

func (remote) Remote() {}

// Who kills this program while a worker is at work does not tell of the worker.
func TestAnUnfinishedAttemptOfAnotherProcessDoesNotCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f := &fake{}
	key := keyOf(t, segment(t, 4))
	dead := fmt.Sprintf("START %s 999999999 2026-11-23T11:42:09Z \"fake segment\"\n", key)
	if err := os.WriteFile(path, []byte(dead), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(f, Options{Kind: "fake", Journal: journal.Open(path)}).Compile(t.Context(), segment(t, 4)); !errors.Is(err, ErrRemembered) {
		t.Errorf("in this process: %v", err)
	}
	if _, err := New(remote{f}, Options{Kind: "fake", Journal: journal.Open(path)}).Compile(t.Context(), segment(t, 4)); err != nil {
		t.Errorf("in another: %v", err)
	}
}

func TestWithoutAJournalItIsTheBackendItself(t *testing.T) {
	f := &fake{}
	if b := New(f, Options{Kind: "fake", Journal: nil}); b != delegate.Backend(f) {
		t.Errorf("%T", b)
	}
}
