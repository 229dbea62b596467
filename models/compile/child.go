package compile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// A vendor's compiler runs in a process of its own, one for each segment: it may
// crash or hang, and its memory can be measured.

// request is what such a process is asked, by its standard input.
type request struct {
	Kind    string         `json:"kind"`
	Options map[string]any `json:"options"`
	// Segment is a file to read, Code one to write.
	Segment string `json:"segment"`
	Code    string `json:"code"`
}

// reply is what it answers, by its standard output.
type reply struct {
	Library    string                  `json:"library"`
	Left       []delegate.LeftOperator `json:"left"`
	Operators  int                     `json:"operators"`
	Partitions int                     `json:"partitions"`
	Error      string                  `json:"error"`
	// Unavailable: the compiler is not here.
	Unavailable bool `json:"unavailable"`
}

// Serve is the other process: it reads one request and answers it.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var q request
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("reading a request to compile: %w", err)
	}
	r, err := serve(ctx, q)
	if err != nil {
		r = reply{Error: delegate.WhyUnavailable(err), Unavailable: errors.Is(err, delegate.ErrUnavailable)}
	}
	return json.NewEncoder(out).Encode(r)
}

func serve(ctx context.Context, q request) (reply, error) {
	// JSON has no whole numbers; options do.
	for key, value := range q.Options {
		if f, ok := value.(float64); ok && f == float64(int(f)) {
			q.Options[key] = int(f)
		}
	}
	b, err := delegate.Open(q.Kind, q.Options)
	if err != nil {
		return reply{}, err
	}
	compiler, ok := b.(delegate.Precompiler)
	if !ok {
		return reply{}, fmt.Errorf("backend %s compiles nothing ahead of time", q.Kind)
	}
	segment, err := graph.Open(q.Segment)
	if err != nil {
		return reply{}, err
	}
	defer segment.Close()
	p, err := compiler.Precompile(ctx, segment)
	if err != nil {
		return reply{}, err
	}
	if len(p.Code) > 0 {
		if err := os.WriteFile(q.Code, p.Code, 0o600); err != nil {
			return reply{}, err
		}
	}
	return reply{Library: p.Library, Left: p.Left, Operators: p.Operators, Partitions: p.Partitions}, nil
}

// outcome is what came of a segment in the other process.
type outcome struct {
	reply
	code   []byte
	took   time.Duration
	memory int64
}

// ErrCompiler: the vendor's compiler crashed, hung or failed.
var ErrCompiler = errors.New("the compiler failed")

// compile has a segment compiled in another process, whose command line command
// is.
func compile(ctx context.Context, command []string, deadline time.Duration, kind string, options map[string]any, segment *graph.Model) (o outcome, err error) {
	folder, err := os.MkdirTemp("", "nanoflux-compile-")
	if err != nil {
		return o, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of no use to anybody
	q := request{Kind: kind, Options: options, Segment: filepath.Join(folder, "segment.tflite"), Code: filepath.Join(folder, "code")}
	if err := write(q.Segment, segment); err != nil {
		return o, err
	}
	in, err := json.Marshal(q)
	if err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(in), &out, &said
	c.WaitDelay = 5 * time.Second
	apart(c)
	begin := time.Now()
	err = c.Run()
	o.took, o.memory = time.Since(begin), peakMemory(c.ProcessState)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return o, fmt.Errorf("%w: it took longer than %v", ErrCompiler, deadline)
	case ctx.Err() != nil:
		return o, ctx.Err()
	case err != nil:
		return o, fmt.Errorf("%w: %w%s", ErrCompiler, err, lastLine(said.String()))
	}
	if err := json.Unmarshal(lastObject(out.Bytes()), &o.reply); err != nil {
		return o, fmt.Errorf("%w: its answer cannot be read: %w%s", ErrCompiler, err, lastLine(said.String()))
	}
	switch {
	case o.Unavailable:
		return o, fmt.Errorf("%s: %w: %s", kind, delegate.ErrUnavailable, o.Error)
	case o.Error != "":
		return o, fmt.Errorf("%w: %s", ErrCompiler, o.Error)
	}
	o.code, err = os.ReadFile(q.Code)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return o, err
}

func write(path string, m *graph.Model) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = graph.Write(f, m)
	return errors.Join(err, f.Close())
}

// lastObject is the last line: a vendor's library may print before it.
func lastObject(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// lastLine is what a process said last, as a part of an error.
func lastLine(said string) string {
	said = strings.TrimSpace(said)
	said = said[strings.LastIndexByte(said, '\n')+1:]
	if said == "" {
		return ""
	}
	return "; it said last: " + said
}
