//go:build tflite

package qnn

/*
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate/qnn/onnx"
	"nanoflux/graph"
)

// session is a segment that ONNX Runtime made ready, for one set of shapes.
type session struct {
	model           *onnx.Model
	run             *ort.DynamicAdvancedSession
	inputs, outputs []*tensor
}

// tensor is an argument of a session; its memory is C's, which may keep pointers
// to it between calls.
type tensor struct {
	data  []byte
	value *ort.CustomDataTensor
}

func newTensor(v *onnx.Value) (*tensor, error) {
	size, err := graph.ByteSize(v.Type, v.Shape)
	if err != nil {
		return nil, err
	}
	p := C.calloc(1, C.size_t(size))
	if p == nil {
		return nil, fmt.Errorf("no memory for %d bytes", size)
	}
	t := &tensor{data: unsafe.Slice((*byte)(p), size)}
	shape := make(ort.Shape, len(v.Shape))
	for i, d := range v.Shape {
		shape[i] = int64(d)
	}
	t.value, err = ort.NewCustomDataTensor(shape, t.data, ort.TensorElementDataType(onnx.ElementType(v.Type)))
	if err != nil {
		C.free(p)
		return nil, err
	}
	return t, nil
}

func (t *tensor) free() {
	_ = t.value.Destroy() // always nil
	C.free(unsafe.Pointer(&t.data[0]))
}

// newSession makes a session of a model, whose file data is, with what options say.
func newSession(model *onnx.Model, data []byte, options *ort.SessionOptions) (*session, error) {
	s := &session{model: model}
	if err := s.prepare(data, options); err != nil {
		_ = s.close() // the first error tells more
		return nil, err
	}
	return s, nil
}

func (s *session) prepare(data []byte, options *ort.SessionOptions) (err error) {
	model := s.model
	var inputs, outputs []string
	for i := range model.Inputs {
		inputs = append(inputs, model.Inputs[i].Name)
	}
	for i := range model.Outputs {
		outputs = append(outputs, model.Outputs[i].Name)
	}
	if s.run, err = ort.NewDynamicAdvancedSessionWithONNXData(data, inputs, outputs, options); err != nil {
		return err
	}
	for i := range model.Inputs {
		t, err := newTensor(&model.Inputs[i])
		if err != nil {
			return err
		}
		s.inputs = append(s.inputs, t)
	}
	for i := range model.Outputs {
		t, err := newTensor(&model.Outputs[i])
		if err != nil {
			return err
		}
		s.outputs = append(s.outputs, t)
	}
	return nil
}

func (s *session) close() error {
	var errs []error
	if s.run != nil {
		errs = append(errs, s.run.Destroy())
		s.run = nil
	}
	for _, list := range [][]*tensor{s.inputs, s.outputs} {
		for _, t := range list {
			t.free()
		}
	}
	s.inputs, s.outputs = nil, nil
	return errors.Join(errs...)
}

// take copies the segment's inputs.
func (s *session) take(inputs []graph.Array) {
	for i := range s.model.Inputs {
		v := &s.model.Inputs[i]
		copy(s.inputs[i].data, inputs[v.Tensor].Data)
		if v.Flipped {
			onnx.Flip(s.inputs[i].data, v.Type)
		}
	}
}

// give copies results to the segment's outputs, whose types these are.
func (s *session) give(outputs []graph.Array, types []graph.TensorType) {
	for i := range s.model.Outputs {
		v := &s.model.Outputs[i]
		data := s.outputs[i].data
		out := &outputs[v.Tensor]
		if cap(out.Data) < len(data) {
			out.Data = graph.AlignedBytes(len(data))
		}
		out.Type, out.Shape, out.Data = types[v.Tensor], append([]int(nil), v.Segment...), out.Data[:len(data)]
		copy(out.Data, data)
		if v.Flipped {
			onnx.Flip(out.Data, v.Type)
		}
	}
}

// compute runs on what was taken, and leaves results to be given.
func (s *session) compute(options *ort.RunOptions) error {
	inputs, outputs := make([]ort.Value, len(s.inputs)), make([]ort.Value, len(s.outputs))
	for i, t := range s.inputs {
		inputs[i] = t.value
	}
	for i, t := range s.outputs {
		outputs[i] = t.value
	}
	return s.run.RunWithOptions(inputs, outputs, options)
}
