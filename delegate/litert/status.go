//go:build tflite

package litert

import "C"

import "fmt"

// Status is an error code of LiteRT. It is an error.
type Status int

// statuses are LiteRT's codes in words.
var statuses = map[Status]string{
	1: "invalid argument", 2: "out of memory", 3: "failure while running", 4: "an input is missing",
	5: "not supported", 6: "not found", 7: "time is up", 8: "wrong version", 9: "unknown error", 10: "exists already",
	100: "cancelled",
	500: "a file cannot be read", 501: "invalid model file", 502: "a library cannot be loaded", 503: "cannot write the model", 504: "cannot be compiled",
	1000: "index out of bounds", 1001: "invalid type", 1002: "invalid graph", 1003: "cannot change the graph",
	1500: "invalid options of a tool", 2000: "no translation of an operator", 2001: "invalid translation of an operator",
	3000: "no pattern fits", 3001: "invalid transformation",
	4000: "the runtime's version does not fit", 4001: "the compiler's version does not fit", 4002: "compiled for another version of the library",
	5000: "an operator's shape cannot be inferred", 5001: "the shapes cannot be inferred",
}

func (s Status) Error() string {
	if text := statuses[s]; text != "" {
		return fmt.Sprintf("LiteRT's error %d, %s", int(s), text)
	}
	return fmt.Sprintf("LiteRT's error %d", int(s))
}

// failure is a status with what LiteRT said.
func failure(status C.int, said string) error {
	if said == "" {
		return Status(status)
	}
	return fmt.Errorf("%w: %s", Status(status), said)
}
