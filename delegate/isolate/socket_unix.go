//go:build unix

package isolate

import (
	"encoding/gob"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// socket is one end of the connection: gob messages, and files beside them.
type socket struct {
	conn *net.UnixConn
	in   *gob.Decoder
	// files that came with the bytes read so far, in order.
	files []*os.File

	mutex sync.Mutex
	out   *gob.Encoder
	sink  sink
}

// sink sends what a gob encoder writes, with a file beside the first byte.
type sink struct {
	conn   *net.UnixConn
	rights []byte
}

func (s *sink) Write(b []byte) (int, error) {
	rights := s.rights
	s.rights = nil
	n, _, err := s.conn.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) { // the rest, when the socket's buffer was full
		var more int
		more, err = s.conn.Write(b[n:])
		n += more
	}
	return n, err
}

func newSocket(f *os.File) (*socket, error) {
	c, err := net.FileConn(f) // duplicates f
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("not a socket of this system"), c.Close())
	}
	s := &socket{conn: u, sink: sink{conn: u}}
	s.in = gob.NewDecoder(&source{s: s})
	s.out = gob.NewEncoder(&s.sink)
	return s, nil
}

// send writes one message; file may be nil.
func (s *socket) send(message any, file *os.File) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if file != nil {
		s.sink.rights = unix.UnixRights(int(file.Fd()))
	}
	return s.out.Encode(message)
}

// receive reads one message. It is called by one goroutine only.
func (s *socket) receive(message any) error { return s.in.Decode(message) }

// file is the file that came with a message that was received.
func (s *socket) file() (*os.File, error) {
	if len(s.files) == 0 {
		return nil, errors.New("a message came without its file")
	}
	f := s.files[0]
	s.files = s.files[1:]
	return f, nil
}

func (s *socket) close() error { return s.conn.Close() }

// source reads bytes for the gob decoder and keeps the files that come along.
// It has a buffer of its own, so that the decoder adds none: a read ahead could
// only bring files early, never late.
type source struct {
	s        *socket
	buffer   [4096]byte
	from, to int
}

func (r *source) fill() error {
	var rights [256]byte
	n, rightsLength, _, _, err := r.s.conn.ReadMsgUnix(r.buffer[:], rights[:])
	if err != nil {
		return err
	}
	if rightsLength > 0 {
		if err := r.keep(rights[:rightsLength]); err != nil {
			return err
		}
	}
	if n == 0 {
		return io.EOF
	}
	r.from, r.to = 0, n
	return nil
}

func (r *source) keep(rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			r.s.files = append(r.s.files, os.NewFile(uintptr(fd), "shared memory"))
		}
	}
	return nil
}

func (r *source) Read(b []byte) (int, error) {
	if r.from == r.to {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.buffer[r.from:r.to])
	r.from += n
	return n, nil
}

func (r *source) ReadByte() (byte, error) {
	if r.from == r.to {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	r.from++
	return r.buffer[r.from-1], nil
}

// socketPair is two connected sockets.
func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "parent"), os.NewFile(uintptr(fds[1]), "worker"), nil
}
