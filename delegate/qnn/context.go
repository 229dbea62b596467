//go:build tflite

package qnn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/graph"
)

// A context is what the NPU's compiler made of a graph: its binary, in an ONNX file
// of one operator that ONNX Runtime reads again (EPContext).

// source is where a session's graph comes from.
type source struct {
	// code is a context that was made before; nil to compile.
	code []byte
	// context is the file to write a context to; empty for none.
	context string
}

// data is the file of the graph.
func (s source) data(model *onnx.Model) ([]byte, error) {
	if s.code != nil {
		return s.code, nil
	}
	return model.Encode()
}

func (s source) configure(options *ort.SessionOptions) error {
	if s.context == "" {
		return nil
	}
	for _, entry := range [][2]string{
		{"ep.context_enable", "1"},
		{"ep.context_file_path", s.context},
		{"ep.context_embed_mode", "1"}, // one file
	} {
		if err := options.AddSessionConfigEntry(entry[0], entry[1]); err != nil {
			return err
		}
	}
	return nil
}

// Precompile implements delegate.Precompiler.
func (b *Backend) Precompile(ctx context.Context, segment *graph.Model) (*delegate.Precompiled, error) {
	p, err := b.precompile(ctx, segment)
	if err != nil {
		return nil, fmt.Errorf("qnn: %s: %w", segment.Name, err)
	}
	return p, nil
}

func (b *Backend) precompile(ctx context.Context, segment *graph.Model) (*delegate.Precompiled, error) {
	device, err := b.Probe(ctx)
	if err != nil {
		return nil, err
	}
	l, ep, err := b.load()
	if err != nil {
		return nil, err
	}
	g := &segment.Subgraphs[0]
	var shapes [][]int
	for _, t := range g.Inputs {
		shapes = append(shapes, g.Tensors[t].Shape)
	}
	model, err := b.convert(segment, shapes)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "nanoflux-qnn-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of no use to anybody
	to := source{context: filepath.Join(folder, "context.onnx")}
	compiling.Lock()
	defer compiling.Unlock()
	result := &delegate.Precompiled{Library: device.Version, Operators: len(g.Ops), Partitions: 1}
	s, err := b.compileAnew(segment, model, to, l, ep)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		result.Partitions = 0
		for _, c := range refused.complaints {
			result.Left = append(result.Left, delegate.LeftOperator{Op: max(0, c.operator), Reason: c.why})
		}
		return result, nil
	case err != nil:
		return nil, err
	}
	if err := s.close(); err != nil {
		return nil, err
	}
	result.Code, err = os.ReadFile(to.context)
	return result, err
}
