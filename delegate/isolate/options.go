package isolate

import (
	"errors"
	"flag"
	"os"
	"time"
)

// Options say how a worker is started and how long it may take.
type Options struct {
	// Command starts a worker; nil for this program with the argument worker.
	Command []string
	// RunDeadline is how long a run may take until the worker counts as hung;
	// 0 for 30 seconds. CompileDeadline is that of everything else; 0 for 5
	// minutes: vendors' compilers are slow.
	RunDeadline, CompileDeadline time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.RunDeadline == 0 {
		o.RunDeadline = 30 * time.Second
	}
	if o.CompileDeadline == 0 {
		o.CompileDeadline = 5 * time.Minute
	}
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return o, errors.Join(errors.New("finding this program, to start it as a worker"), err)
		}
		if flag.Lookup("test.v") != nil {
			// It would run its tests again, and they start workers.
			return o, errors.New("a test program is no worker by itself: name the command of one, or run the backend in the program (Isolation)")
		}
		o.Command = []string{self, "worker"}
	}
	return o, nil
}
