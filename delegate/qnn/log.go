//go:build tflite

package qnn

/*
#include <stdlib.h>
#include "log.h"
*/
import "C"

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/graph"
)

// startLog has ONNX Runtime tell what it does, before the binding starts it: that
// one would have it print.
func startLog(runtime string) error {
	library, err := dl.Open([]string{runtime}, "OrtGetApiBase")
	if err != nil {
		return fmt.Errorf("%w: for ONNX Runtime 1.29 run ci/setup qnn", err)
	}
	base := library.Symbol("OrtGetApiBase")
	version := C.GoString(C.nanoflux_qnn_runtime_version(base))
	if !newEnough(version) {
		return fmt.Errorf("%w: %s is ONNX Runtime %s, which is too old; for 1.%d run ci/setup qnn", delegate.ErrUnavailable, runtime, version, firstRuntime)
	}
	if C.nanoflux_qnn_log_start(base) != 0 {
		return fmt.Errorf("%w: %s (ONNX Runtime %s) cannot be started; run ci/setup qnn for one that can", delegate.ErrUnavailable, runtime, version)
	}
	return nil
}

// firstRuntime is the first minor version of ONNX Runtime 1 whose interface the
// binding takes.
const firstRuntime = 29

// newEnough says whether a version of ONNX Runtime, "1.29.0", can be used.
func newEnough(version string) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (major > 1 || major == 1 && minor >= firstRuntime)
}

// listen calls f and returns what was said meanwhile. One caller at a time.
func listen(f func() error) (said string, err error) {
	C.nanoflux_qnn_log_listen(1)
	err = f()
	C.nanoflux_qnn_log_listen(0)
	text := C.nanoflux_qnn_log_text()
	defer C.free(unsafe.Pointer(text))
	return C.GoString(text), err
}

// complaint is why a node was not taken.
type complaint struct {
	operator int    // of the segment; −1 where the node is none of its
	why      string // a clause
}

var (
	// refusedNode is how the provider tells of a node that the compiler refuses.
	refusedNode = regexp.MustCompile("QNN.backendValidateOpConfig\\(\\) failed for node `([^`]*)` of type `([^`]*)` with error code ([0-9]+)")
	// nodeReason is how it tells of one that it does not get as far as that with.
	nodeReason = regexp.MustCompile(`(?s)Operator type: (\S+) Node name: (\S+) Node index: [0-9]+.*?REASON : ([^\n]*)`)
	// compilerLine is a line of the compiler's own.
	compilerLine = regexp.MustCompile(`<[EW]> ?(.*)`)
)

// complaints reads a log: one for each operator, and one for all other nodes.
func complaints(log string) (list []complaint) {
	seen := map[int]bool{}
	add := func(node, why string) {
		op, ok := onnx.OperatorOf(node)
		if !ok {
			op = -1
		}
		if seen[op] {
			return
		}
		seen[op] = true
		list = append(list, complaint{op, why})
	}
	last := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if m := compilerLine.FindStringSubmatch(line); m != nil {
			last = strings.TrimSpace(m[1])
		}
		if m := refusedNode.FindStringSubmatch(line); m != nil {
			why := m[2] + ": QNN error " + m[3] + meaning(m[3])
			if last != "" {
				why += ": " + last
			}
			add(m[1], why)
			last = ""
		}
	}
	for _, m := range nodeReason.FindAllStringSubmatch(log, -1) {
		add(m[2], m[1]+": "+m[3])
	}
	return list
}

// meanings are QNN's error codes of refused operators.
var meanings = map[string]string{
	"1000": "not supported",
	"1002": "no memory",
	"3110": "the operator's types, shapes or options are not supported",
}

func meaning(code string) string {
	if text := meanings[code]; text != "" {
		return " (" + text + ")"
	}
	return ""
}

// refusedError says what the NPU does not take of a segment. There is at least one
// complaint. It wraps a *delegate.Refusal, which is the first one's.
type refusedError struct {
	segment    *graph.Model
	complaints []complaint
}

// first is a complaint about an operator, if there is one.
func (e *refusedError) first() complaint {
	for _, c := range e.complaints {
		if c.operator >= 0 && c.operator < len(e.segment.Subgraphs[0].Ops) {
			return c
		}
	}
	return complaint{-1, e.complaints[0].why}
}

func (e *refusedError) Error() string {
	c := e.first()
	if c.operator < 0 {
		return c.why
	}
	return e.segment.OpLabel(0, c.operator) + ": " + c.why
}

// Unwrap makes errors.As find the refusal, and all operators, and errors.Is
// delegate.ErrUnsupported.
func (e *refusedError) Unwrap() []error {
	list := []error{delegate.Refuse(delegate.ReasonDevice, "%s", e.first().why)}
	all := &delegate.RefusedError{}
	for _, c := range e.complaints {
		if c.operator >= 0 && c.operator < len(e.segment.Subgraphs[0].Ops) {
			all.Ops = append(all.Ops, delegate.LeftOperator{Op: c.operator, Reason: c.why})
		}
	}
	if len(all.Ops) > 0 {
		list = append(list, all)
	}
	return list
}

// startFailure is why the provider did not start: what was said last, or else the end
// of ONNX Runtime's error.
func startFailure(err error, said string) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(said), "\n"), idle)
	if len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
		return strings.TrimSpace(lines[len(lines)-1])
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[strings.LastIndex(text, "Error creating execution provider"):]
}

// idle says that a line is said in any case.
func idle(line string) bool { return strings.Contains(line, "File mapped weights") }

// compileFailure is why a session could not be made, in one line: ONNX Runtime's
// error, and what was said last that is not the same.
func compileFailure(err error, said string) string {
	text := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "Error creating C session: ")), " ")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line != "" && !strings.Contains(text, line) && !idle(line) {
			return text + " (" + line + ")"
		}
	}
	return text
}
