package isolate

import (
	"nanoflux/delegate"
	"nanoflux/graph"
)

// action is what a request asks for.
type action uint8

const (
	actionOpen    action = iota + 1 // make the backend
	actionProbe                     // Backend.Probe
	actionCompile                   // Backend.Compile
	actionRun                       // Executable.Run
	actionCancel                    // end the request numbered Of
	actionClose                     // Executable.Close
	actionMap                       // take a region's file, which comes along
	actionUnmap                     // let a region go
)

// request is a message to the worker. Seq is answered by a reply; 0 is not
// answered.
type request struct {
	Seq    uint64
	Action action

	// Open.
	Kind    string
	Options map[string]any

	// Compile: the number of the new executable, and its segment. Run, Close:
	// the number.
	Executable uint64
	Segment    *segmentMessage

	// Run: where the values are, and where they go.
	Inputs, Outputs []place

	// Cancel.
	Of uint64

	// Map, Unmap.
	Region uint64
	Size   int
}

// segmentMessage is a segment without its large constants.
type segmentMessage struct {
	Name      string
	Structure []byte
	Files     []fileMessage
	Buffers   []bufferMessage
}

// fileMessage is a file that constants lie in, as it was when the parent mapped
// it.
type fileMessage struct {
	Path          string
	Device, Inode uint64
	First, Beyond int64 // the part that is needed
}

// bufferMessage says where a constant is: in a file, or in a region.
type bufferMessage struct {
	Buffer int
	// File is an index of Files, or -1 for a region.
	File   int
	Region uint64
	// Offset counts from the start of the file or the region.
	Offset int64
	Length int
}

// place is a tensor in shared memory. For an output Length is the room.
type place struct {
	Region uint64
	Offset int
	Length int
	Type   graph.TensorType
	Shape  []int
}

// reply answers the request of the same number.
type reply struct {
	Seq     uint64
	Failure *failure
	Device  delegate.Device
	// Taken is nil when the executable is not a delegate.Delegated.
	Taken   *delegate.Taken
	Outputs []result
}

// result is an output. Data is only set when it did not fit its place.
type result struct {
	Type   graph.TensorType
	Shape  []int
	Length int
	Data   []byte
	// Copied is how much the worker copied, as the backend did not write where
	// it should.
	Copied int
}

// failure is an error as it crosses the socket.
type failure struct {
	Text     string
	Sentinel string
	Refusal  *delegate.Refusal
	Refused  []delegate.LeftOperator
}
