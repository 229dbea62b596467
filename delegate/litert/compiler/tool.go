package compiler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/installed"
)

// ToolError: a compiler failed, crashed or hung.
type ToolError struct {
	// Tool is the program that ran it.
	Tool string
	// Cause is a clause for people: "ended with exit code 1", "killed by SIGSEGV",
	// "no end within 10m0s".
	Cause string
	// Exited: it ended by itself.
	Exited bool
	// Said is the last that it said; may be empty.
	Said string
}

func (e *ToolError) Error() string {
	s := fmt.Sprintf("%s: %s", filepath.Base(e.Tool), e.Cause)
	if e.Said != "" {
		s += fmt.Sprintf(" (it said: %s)", e.Said)
	}
	return s
}

// ran is what came of a run of the tool.
type ran struct {
	said     string
	duration time.Duration
	memory   int64
}

// mostSaid bounds in bytes what is kept of a compiler's messages: one of them
// tells much about each operator.
const mostSaid = 32 << 20

// bounded keeps the beginning of what is written to it.
type bounded struct {
	mutex sync.Mutex
	data  bytes.Buffer
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.data.Write(p[:min(len(p), mostSaid-b.data.Len())])
	return len(p), nil
}

// tool runs LiteRT's tool with the libraries of a vendor. Its own error is a
// *ToolError.
func (o Options) tool(ctx context.Context, v installed.Vendor, arguments []string) (ran, error) {
	path := o.Package.Tool()
	if _, err := os.Stat(path); err != nil {
		return ran{}, fmt.Errorf("%w: LiteRT's compiler is not here: %w; run ci/setup litert, or let NANOFLUX_LITERT name the folder in which ai_edge_litert lies", delegate.ErrUnavailable, err)
	}
	limited, cancel := context.WithTimeout(ctx, o.Deadline)
	defer cancel()
	cmd := exec.CommandContext(limited, path, arguments...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(append(o.Package.LibraryFolders(v), os.Getenv("LD_LIBRARY_PATH")), string(os.PathListSeparator)))
	// The compilers write beside where they are.
	cmd.Dir = os.TempDir()
	var said bounded
	cmd.Stdout, cmd.Stderr = &said, &said
	alone(cmd)
	cmd.WaitDelay = 5 * time.Second
	// The tool ends with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	err := cmd.Run()
	r := ran{said: said.data.String(), duration: time.Since(start), memory: peak(cmd.ProcessState)}
	if err == nil {
		return r, nil
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	failed := &ToolError{Tool: path, Cause: err.Error(), Said: Complaints(r.said)}
	var exit *exec.ExitError
	switch {
	case limited.Err() != nil:
		failed.Cause = fmt.Sprintf("no end within %v; it was stopped", o.Deadline)
	case errors.As(err, &exit) && exit.Exited():
		failed.Cause, failed.Exited = fmt.Sprintf("ended with exit code %d", exit.ExitCode()), true
	case errors.As(err, &exit):
		failed.Cause = "killed by " + strings.TrimPrefix(exit.String(), "signal: ")
	}
	return r, failed
}
