// Package delegate says what a backend is: something that runs a segment of a
// model. Each folder below it is one backend; package fallback is another, and
// there is no second way to run anything.
//
// This package knows models (package graph) and nothing of plans or profiles.
// It has no cgo; only the folders below may import "C".
package delegate

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/graph"
)

// Errors that callers test for with errors.Is.
var (
	// ErrUnavailable: the backend's library or device is not here.
	ErrUnavailable = errors.New("backend not available")
	// ErrUnsupported: the backend does not take this model or operator.
	ErrUnsupported = errors.New("not supported by the backend")
	// ErrInput: an input does not fit the segment (count, type, shape, size).
	ErrInput = errors.New("input does not fit")
	// ErrClosed: the executable was closed.
	ErrClosed = errors.New("executable is closed")
)

// Backend runs segments of models. All methods may be called from any
// goroutine at any time.
type Backend interface {
	// Name is the backend's kind: "fallback", "tflite", …
	Name() string

	// Probe looks for what the backend needs and says what it found. When it
	// cannot run here, the error wraps ErrUnavailable and says what is
	// missing and what to do. It may take a second; it never loads a model.
	Probe(ctx context.Context) (Device, error)

	// Supports says whether the backend takes operator op of subgraph sub
	// when it stands in a segment: nil for yes, or why not. It looks at
	// types, shapes, constants and options only, is cheap, and has no side
	// effect. m has passed graph.Check.
	Supports(m *graph.Model, sub, op int) *Refusal

	// Compile makes a segment ready to run. The segment has one subgraph and
	// no operator that Supports refuses; its buffers must stay valid until
	// the executable is closed. Errors name the operator where they can.
	Compile(ctx context.Context, segment *graph.Model) (Executable, error)
}

// Executable is a compiled segment.
type Executable interface {
	// Run computes outputs from inputs, in the order of the segment's
	// subgraph inputs and outputs. Inputs are only read. A dimension whose
	// ShapeSignature is -1 may have any size; other shapes and all types must
	// be the segment's (ErrInput otherwise).
	//
	// outputs must have one element an output. Run sets Type and Shape, and
	// writes into Data when its capacity suffices; otherwise it allocates.
	// After an error the contents of outputs are unspecified.
	//
	// Run may be called from many goroutines; an implementation may run them
	// one after another. It returns ctx.Err() soon after ctx ends (within
	// one operator), and the executable can be run again after that.
	Run(ctx context.Context, inputs, outputs []graph.Array) error

	// Close frees what Compile took, after running calls have ended. Closing
	// twice does nothing. Run after Close returns ErrClosed.
	Close() error
}

// Table says which operators a kind of device takes, without the device: nil for
// yes, or why not. m has passed graph.Check.
type Table interface {
	Check(m *graph.Model, sub, op int) *Refusal
}

// Reader is a Backend that refuses some operators because it cannot read them at
// all, and others because a table says that its device does not take them. An
// answer of the device overrides the table, and not this.
type Reader interface {
	Backend
	// Reads says why the operator cannot be read; nil when it can.
	Reads(m *graph.Model, sub, op int) *Refusal
}

// Delegated is an Executable that knows what a delegate made of its segment: a
// delegate may leave operators to the interpreter's CPU kernels in silence.
type Delegated interface {
	Executable
	Taken() Taken
}

// Remote is a Backend whose executables run in another process. Arguments that
// lie in shared memory (package delegate/shared) reach it without a copy.
type Remote interface {
	Backend
	Remote()
}

// Unstoppable is a Backend whose device cannot be stopped: what it computes goes on
// after its call was cancelled. In a process of its own, a cancelled call ends that
// process, and the next call has another.
type Unstoppable interface {
	Backend
	Unstoppable()
}

// Taken is how much of a segment runs on the device.
type Taken struct {
	// Operators of the segment, and of these the ones (by index in the segment)
	// that the delegate left to the CPU.
	Operators int
	Left      []int
	// Partitions is in how many pieces the device runs the rest.
	Partitions int
}

// Device is what Probe found.
type Device struct {
	// Description for people: "Go kernels, linux/amd64, 2 threads".
	Description string `json:"description"`
	// Library is the path or name of the vendor library; empty if none.
	Library string `json:"library,omitempty"`
	// Version of the library or driver; empty if none.
	Version string `json:"version,omitempty"`
	// Features that decide what is supported, in a fixed order.
	Features []string `json:"features,omitempty"`
}

// Features that say that a backend is no accelerator of this device, though a
// vendor's code runs there.
const (
	// FeatureSimulated: an accelerator is simulated, thousands of times slower.
	FeatureSimulated = "simulated"
	// FeatureCPU: all runs on the CPU.
	FeatureCPU = "cpu"
)

// Reason is the kind of a refusal, for reports and tests.
type Reason string

// The reasons for which a backend, or the profile, does not run an operator.
const (
	ReasonOp           Reason = "op"           // the backend has no such operator
	ReasonVersion      Reason = "version"      // the operator's version is too new
	ReasonType         Reason = "type"         // an element type
	ReasonRank         Reason = "rank"         // a number of dimensions
	ReasonShape        Reason = "shape"        // a size, or sizes that do not go together
	ReasonDynamic      Reason = "dynamic"      // a shape that is only known at run time
	ReasonConstant     Reason = "constant"     // an input that must be constant is not, or the reverse
	ReasonOption       Reason = "option"       // an operator option
	ReasonQuantization Reason = "quantization" // scale, zero point or granularity
	ReasonActivation   Reason = "activation"   // a function fused into the operator
	ReasonHybrid       Reason = "hybrid"       // float activations with integer weights
	ReasonOperand      Reason = "operand"      // an optional input that must be there, or must not
	ReasonLevel        Reason = "level"        // a newer system (NNAPI feature level, Core ML version) takes it
	ReasonSoC          Reason = "soc"          // the chip cannot; the same backend on another one can
	ReasonDevice       Reason = "device"       // the device itself, asked, left it
	ReasonUnavailable  Reason = "unavailable"  // the backend is not on this device
	ReasonRule         Reason = "rule"         // a rule of the profile sends it elsewhere
	ReasonLost         Reason = "lost"         // the backend was lost, now or at a start before
	ReasonFailed       Reason = "failed"       // it was tried, and the backend gave an error
	ReasonWrong        Reason = "wrong"        // it was tried, and the results cannot be right
)

// Refusal says why a backend does not take an operator. It is an error that
// wraps ErrUnsupported.
type Refusal struct {
	Reason Reason `json:"reason"`
	// Detail is a short clause for people: "input 1 is INT16; takes FLOAT32, INT8".
	Detail string `json:"detail"`
}

// Refuse makes a Refusal.
func Refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

// Unwrap makes errors.Is(r, ErrUnsupported) hold.
func (r *Refusal) Unwrap() error { return ErrUnsupported }
