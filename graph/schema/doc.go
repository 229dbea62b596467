// Package schema holds the FlatBuffers accessors of the TensorFlow Lite file
// format. Everything but this file is made by flatc from tflite.fbs; the
// object API (types ending in T) carries operator options through the program,
// so that an operator this project does not know survives a round trip.
//
// Nothing here checks what it reads: a file must pass graph.Read's verifier
// before an accessor of this package may touch it.
package schema

//go:generate sh generate.sh
