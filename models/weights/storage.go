package weights

import (
	"fmt"
	"math"
	"path"

	"github.com/x448/float16"
)

// Storage is how a constant lies in the file. Computation is float32 always: a
// narrower constant is followed by a DEQUANTIZE.
type Storage uint8

// The storages, from large to small.
const (
	Float32 Storage = iota
	Float16
	// Int8 is symmetric (zero point 0) with one scale for each output channel.
	Int8
)

func (s Storage) String() string {
	switch s {
	case Float32:
		return "float32"
	case Float16:
		return "float16"
	case Int8:
		return "int8"
	}
	return fmt.Sprintf("Storage(%d)", uint8(s))
}

// Policy says how each weight is stored. Biases, norm weights and other small
// constants are always float32: they are few, and errors in them add up.
type Policy struct {
	// Matrices are the weights of linear layers and convolutions.
	Matrices Storage
	// Tables are embeddings and position biases. Int8 is stored as Float16:
	// their rows have no output channel to give a scale to.
	Tables Storage
	// Exceptions are looked at first, in order: the first whose pattern
	// (path.Match) fits the constant's name decides.
	Exceptions []Exception
}

// Exception gives the constants whose name matches Pattern their own storage.
type Exception struct {
	Pattern string
	Storage Storage
}

// Uniform stores everything that is large in s (embeddings at most as float16).
func Uniform(s Storage) Policy { return Policy{Matrices: s, Tables: min(s, Float16)} }

// smallConstant is the number of elements below which narrowing saves nothing
// worth an operator.
const smallConstant = 1024

func (p Policy) matrix(name string, elements int) Storage { return p.pick(name, elements, p.Matrices) }

func (p Policy) table(name string, elements int) Storage {
	return min(p.pick(name, elements, p.Tables), Float16)
}

func (p Policy) pick(name string, elements int, otherwise Storage) Storage {
	for _, e := range p.Exceptions {
		if ok, _ := path.Match(e.Pattern, name); ok {
			return e.Storage
		}
	}
	if elements < smallConstant {
		return Float32
	}
	return otherwise
}

// halves rounds to the nearest float16, ties to even. Values beyond ±65504
// become infinite.
func halves(values []float32) []uint16 {
	h := make([]uint16, len(values))
	for i, v := range values {
		h[i] = float16.Fromfloat32(v).Bits()
	}
	return h
}

// fitsHalf reports whether no value overflows float16.
func fitsHalf(values []float32) bool {
	for _, v := range values {
		if math.Abs(float64(v)) > 65504 {
			return false
		}
	}
	return true
}

// quantizeRows rounds a matrix of rows × (len/rows) to int8, symmetric, with
// one scale a row. The scale is the one of a few between 0.8 and 1 times
// max|w|/127 that gives the least square error: clipping the one largest weight
// of a row often pays for finer steps everywhere else. A row of zeros gets the
// scale 1, which keeps zero exact and the scale positive, as the format asks.
func quantizeRows(values []float32, rows int) (q []int8, scales []float32) {
	q, scales = make([]int8, len(values)), make([]float32, rows)
	n := len(values) / rows
	for r := range rows {
		row := values[r*n : (r+1)*n]
		top := float32(0)
		for _, v := range row {
			top = max(top, float32(math.Abs(float64(v))))
		}
		scale := top / 127
		if !(scale >= math.SmallestNonzeroFloat32*1e6) { // also NaN
			scales[r] = 1
			continue
		}
		best, bestError := scale, rowError(row, scale)
		for k := 1; k <= scaleSteps; k++ {
			s := scale * (1 - 0.2*float32(k)/scaleSteps)
			if e := rowError(row, s); e < bestError {
				best, bestError = s, e
			}
		}
		scales[r] = best
		for i, v := range row {
			q[r*n+i] = roundInt8(v, best)
		}
	}
	return q, scales
}

const scaleSteps = 20

func roundInt8(v, scale float32) int8 {
	x := math.RoundToEven(float64(v) / float64(scale))
	return int8(max(-127, min(127, x)))
}

func rowError(row []float32, scale float32) float64 {
	sum := 0.0
	for _, v := range row {
		d := float64(v) - float64(scale)*float64(roundInt8(v, scale))
		sum += d * d
	}
	return sum
}
