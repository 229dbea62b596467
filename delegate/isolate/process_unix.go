//go:build unix

package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/shared"
)

// process is a running worker.
type process struct {
	kind    string
	command *exec.Cmd
	socket  *socket
	said    *lastWords

	mutex   sync.Mutex
	seq     uint64
	waiting map[uint64]chan *reply
	// given are the regions that the worker has mapped.
	given map[uint64]bool
	// lost is why there is no worker any more; nil while there is one.
	lost *delegate.LostError
	// hung is set by whoever kills the worker, before it does.
	hung string
	// unstoppable: cancelled calls end the worker. retired: one did.
	unstoppable, retired bool
	// ended is closed when the worker is gone and waited for.
	ended chan struct{}
}

// start starts a worker; its backend is not open yet.
func start(kind string, unstoppable bool, o Options) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("%s: starting a worker: %w", kind, shared.Limited(err))
	}
	defer theirs.Close()
	p := &process{kind: kind, unstoppable: unstoppable, said: &lastWords{}, waiting: map[uint64]chan *reply{}, given: map[uint64]bool{}, ended: make(chan struct{})}
	p.command = exec.Command(o.Command[0], o.Command[1:]...)
	p.command.ExtraFiles = []*os.File{theirs} // becomes workerSocket
	p.command.Stderr = p.said
	p.command.Stdout = p.said
	// The reason of a crash, without pages of stacks.
	p.command.Env = append(os.Environ(), "GOTRACEBACK=none", WorkerEnvironment+"=1")
	// ^C goes to the program in front, which ends its workers in order.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A process that a vendor's library started may hold the pipes of a worker
	// that is gone.
	p.command.WaitDelay = time.Second
	if p.socket, err = newSocket(ours); err != nil {
		return nil, fmt.Errorf("%s: starting a worker: %w", kind, shared.Limited(err))
	}
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: starting a worker: %w", kind, shared.Limited(err)), p.socket.close())
	}
	go p.listen()
	return p, nil
}

// WorkerEnvironment is set in a worker's environment; a test program looks for
// it and calls Serve.
const WorkerEnvironment = "NANOFLUX_WORKER"

// listen hands out replies until the worker is gone, and then finds out why.
func (p *process) listen() {
	waited := make(chan error, 1)
	go func() {
		err := p.command.Wait()
		// What the worker started goes with it, and cannot keep the socket open.
		p.killGroup()
		_ = p.socket.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		waited <- err
	}()
	for {
		r := new(reply)
		if err := p.socket.receive(r); err != nil {
			break
		}
		p.mutex.Lock()
		if to := p.waiting[r.Seq]; to != nil {
			delete(p.waiting, r.Seq)
			to <- r
		}
		p.mutex.Unlock()
	}
	// A worker that closed its socket but lives on is as good as hung.
	timer := time.AfterFunc(2*time.Second, func() { p.kill("closed its connection and went on") })
	err := <-waited
	timer.Stop()
	p.mutex.Lock()
	p.lost = &delegate.LostError{Backend: p.kind, Cause: p.cause(err), Said: p.said.last()}
	for seq, to := range p.waiting {
		delete(p.waiting, seq)
		close(to)
	}
	p.mutex.Unlock()
	_ = p.socket.close() // the other end is gone
	close(p.ended)
}

// kill ends a worker that does not answer.
func (p *process) kill(why string) {
	p.mutex.Lock()
	if p.lost == nil && p.hung == "" {
		p.hung = why
	}
	p.mutex.Unlock()
	p.killGroup()
}

// retire kills a worker that still computes what nobody wants any more. Its backend
// is not lost: the next call has another worker.
func (p *process) retire() {
	p.mutex.Lock()
	p.retired = true
	p.mutex.Unlock()
	p.kill("what it computed was cancelled")
}

func (p *process) isRetired() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.retired
}

// killGroup ends the worker and all that it started; they may have ended before.
func (p *process) killGroup() { _ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) }

// crash is how Go's runtime reports a signal in C code, which it turns into an
// exit code.
var crash = regexp.MustCompile(`(?m)^(?:\[signal (SIG[A-Z]+)|(SIG[A-Z]+):)`)

// cause says in words how the process ended. p.mutex is held.
func (p *process) cause(err error) string {
	if p.hung != "" {
		return p.hung
	}
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return "its process ended with exit code 0"
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch m := crash.FindStringSubmatch(p.said.text()); {
	case ok && status.Signaled():
		return fmt.Sprintf("its process was killed by %s", signalName(status.Signal()))
	case m != nil:
		return "its process crashed with " + m[1] + m[2]
	}
	return fmt.Sprintf("its process ended with exit code %d", exit.ExitCode())
}

// call sends a request and waits for the answer until the deadline.
func (p *process) call(done <-chan struct{}, r *request, deadline time.Duration) (*reply, error) {
	answer := make(chan *reply, 1)
	p.mutex.Lock()
	if p.lost != nil {
		defer p.mutex.Unlock()
		return nil, p.lost
	}
	p.seq++
	r.Seq = p.seq
	p.waiting[r.Seq] = answer
	p.mutex.Unlock()
	if err := p.socket.send(r, nil); err != nil {
		return nil, p.reason(err)
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	late := fmt.Sprintf("no answer within %v", deadline)
	for {
		select {
		case a, ok := <-answer:
			if !ok {
				return nil, p.reason(nil)
			}
			return a, nil
		case <-done:
			if p.unstoppable {
				p.retire()
				return nil, p.reason(nil)
			}
			done = nil // told once; a worker that does not listen is hung
			timer.Reset(min(deadline, cancelPatience))
			late = fmt.Sprintf("it went on for %v after it was cancelled", min(deadline, cancelPatience))
			if err := p.socket.send(&request{Action: actionCancel, Of: r.Seq}, nil); err != nil {
				return nil, p.reason(err)
			}
		case <-timer.C:
			p.kill(late)
			return nil, p.reason(nil)
		}
	}
}

// cancelPatience is how long a call may go on after it was cancelled: delegates
// finish the operator that they are at, which may be a whole segment.
const cancelPatience = 10 * time.Second

// reason waits until the worker's end is known, and returns it. err is how the
// socket broke, if it did: the worker is gone then, or about to go.
func (p *process) reason(err error) error {
	if err != nil {
		select {
		case <-p.ended:
		case <-time.After(2 * time.Second):
			p.kill("its connection broke: " + err.Error())
		}
	}
	<-p.ended
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.lost
}

// give lets the worker map a region.
func (p *process) give(r *shared.Region) error {
	p.mutex.Lock()
	has := p.given[r.ID]
	p.given[r.ID] = true
	p.mutex.Unlock()
	if has {
		return nil
	}
	if err := p.socket.send(&request{Action: actionMap, Region: r.ID, Size: len(r.Data)}, r.File()); err != nil {
		return p.reason(err)
	}
	r.BeforeClose(func() { p.revoke(r) })
	return nil
}

// revoke makes the worker let a region go.
func (p *process) revoke(r *shared.Region) {
	p.mutex.Lock()
	has := p.given[r.ID]
	delete(p.given, r.ID)
	p.mutex.Unlock()
	if has {
		_ = p.socket.send(&request{Action: actionUnmap, Region: r.ID}, nil) // a dead worker holds nothing
	}
}

// stop ends the worker: it goes when its parent's end of the socket closes.
func (p *process) stop() {
	_ = p.socket.close()
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		p.kill("did not end when it was told to")
		<-p.ended
	}
}

// lastWords keeps the first and the last that a worker prints.
type lastWords struct {
	mutex       sync.Mutex
	first, rest []byte
}

const keptWords = 16 << 10

func (w *lastWords) Write(b []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	n := len(b)
	if room := keptWords - len(w.first); room > 0 {
		k := min(room, len(b))
		w.first, b = append(w.first, b[:k]...), b[k:]
	}
	w.rest = append(w.rest, b...)
	if over := len(w.rest) - keptWords; over > 0 {
		w.rest = append(w.rest[:0], w.rest[over:]...)
	}
	return n, nil
}

func (w *lastWords) text() string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return string(w.first) + string(w.rest)
}

// crashReport is where the Go runtime begins to report a crash.
var crashReport = regexp.MustCompile(`(?m)^(?:fatal error: |SIG[A-Z]+: |\[signal SIG|unexpected fault address|runtime: )`)

// idle is how lines begin that TensorFlow Lite and Qualcomm's simulator print in any
// case.
var idle = []string{"INFO: ", "# LIBNATIVE: "}

// last is the last line that is not the Go runtime's and says something.
func (w *lastWords) last() string {
	text := w.text()
	if at := crashReport.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	lines := strings.Split(text, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line == "" || slices.ContainsFunc(idle, func(begin string) bool { return strings.HasPrefix(line, begin) }) {
			continue
		}
		if len(line) > 200 {
			line = line[:200] + "…"
		}
		return line
	}
	return ""
}

// signalName is "SIGSEGV" for 11.
func signalName(s syscall.Signal) string {
	for name, number := range signals {
		if number == s {
			return name
		}
	}
	return fmt.Sprintf("signal %d", int(s))
}

var signals = map[string]syscall.Signal{
	"SIGSEGV": syscall.SIGSEGV, "SIGBUS": syscall.SIGBUS, "SIGABRT": syscall.SIGABRT, "SIGKILL": syscall.SIGKILL,
	"SIGILL": syscall.SIGILL, "SIGFPE": syscall.SIGFPE, "SIGTERM": syscall.SIGTERM, "SIGTRAP": syscall.SIGTRAP, "SIGPIPE": syscall.SIGPIPE,
}
