package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/feed"
	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/pipeline"
	"nanoflux/models/text"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// The exit codes, as docs/cli.md and --help list them.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInput       = 3
	exitOutput      = 4
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

// exitError is an error whose exit code its place decides.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is a wrong command line; it says what is right.
func usage(c *cli.Context, format string, args ...any) error {
	return usageOf(c.Command.HelpName, format, args...)
}

func usageOf(command, format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format+"; see %s --help", append(args, command)...)}
}

// notWritten marks an error of writing a result.
func notWritten(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitOutput, err}
}

// badInput marks an error of something that the caller named.
func badInput(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitInput, err}
}

// usageProblem turns what the flag parser says into our words.
func usageProblem(c *cli.Context, err error, _ bool) error {
	command := "nanoflux"
	if c.Command != nil && c.Command.HelpName != "" {
		command = c.Command.HelpName
	}
	return usageOf(command, "%w", err)
}

// exitCode finds the code of an error: from its place if that said, otherwise
// from what it wraps.
func exitCode(err error) int {
	var placed *exitError
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &placed):
		return placed.code
	case errors.Is(err, feed.ErrSpec):
		return exitUsage
	case errors.Is(err, graph.ErrFormat), errors.Is(err, graph.ErrModel), errors.Is(err, npy.ErrFormat), errors.Is(err, feed.ErrFile), errors.Is(err, feed.ErrType),
		errors.Is(err, profiles.ErrInvalid), errors.Is(err, profiles.ErrUnknown),
		errors.Is(err, partition.ErrUnplaced), errors.Is(err, partition.ErrPolicy), errors.Is(err, partition.ErrState),
		errors.Is(err, bundle.ErrFormat), errors.Is(err, bundle.ErrHash), errors.Is(err, text.ErrTokenizer),
		errors.Is(err, pipeline.ErrParts),
		errors.Is(err, delegate.ErrInput),
		errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return exitInput
	}
	return exitFailure
}

// report prints an error as one line, which ends with what to do, and returns
// the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	code := exitCode(err)
	line := oneLine(err.Error())
	switch {
	case code == exitInterrupted:
		line = "interrupted; nothing was written"
	case advice(line) == "":
		line += "; " + adviceFor(err, code)
	}
	fmt.Fprintf(stderr, "nanoflux: %s\n", line)
	return code
}

// oneLine keeps names from foreign files from breaking lines or steering a
// terminal.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimRight(s, " \n"), "\n", "; ")
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// checkedWriter remembers the first error, so that a command may print freely
// and a full disk behind stdout is still an error.
type checkedWriter struct {
	to  io.Writer
	err error
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.to.Write(p)
	w.err = err
	return n, err
}
