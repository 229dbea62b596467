// Command nanoflux makes pictures from prompts, and runs, plans and inspects
// TensorFlow Lite models. docs/cli.md describes it for people.
//
// A file here is a command: flags in, calls out. What has logic lives in the
// packages that are called, or in a package below internal.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	_ "nanoflux/delegate/all"
	"nanoflux/fallback"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code. stdout is for
// results, stderr for progress, warnings and errors.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &checkedWriter{to: stdout}
	app := newApp(out, stderr)
	args, err := arrange(app, args)
	if problem := fallback.CheckEnvironment(); problem != nil && err == nil && !isWorker(args) {
		fmt.Fprintf(stderr, "nanoflux: warning: %s\n", oneLine(problem.Error()))
	}
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err == nil && out.err != nil {
		err = &exitError{code: exitOutput, err: out.err}
	}
	return report(stderr, err)
}

// isWorker says whether this process is a worker: what it prints belongs to the
// error when it is lost, and its parent has warned.
func isWorker(args []string) bool { return len(args) > 1 && args[1] == "worker" }

func newApp(stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                  "nanoflux",
		Usage:                 "text-to-image on the device: TensorFlow Lite models on NPUs and in pure Go",
		HideVersion:           true,
		HideHelpCommand:       true, // see arrange
		CustomAppHelpTemplate: appHelp,
		Writer:                stdout,
		ErrWriter:             stderr,
		// Errors are reported by run, in one place and without the help text.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageProblem,
		// A path may have a comma in it.
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			generateCommand(),
			runCommand(),
			planCommand(),
			inspectCommand(),
			benchCommand(),
			bundleCommand(),
			calibrateCommand(),
			compileCommand(),
			profileCommand(),
			doctorCommand(),
			versionCommand(),
			workerCommand(),
			precompileCommand(),
		},
	}
	finish(app.Commands)
	return app
}

// finish gives every command the same manners.
func finish(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageProblem
		c.CustomHelpTemplate = commandHelp
		c.HideHelpCommand = true
		finish(c.Subcommands)
	}
}
