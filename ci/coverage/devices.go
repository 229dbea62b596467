package main

import (
	"nanoflux/delegate/support"
	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/models/weights"
)

// target is a delegate and the passes that a profile for it asks for
// (docs/rewrites.md).
type target struct {
	name  string // of the support table
	title string
	// integer: the device computes in 8 bits only, and is given an 8-bit model.
	integer bool
	// folded is the storage that the weights have after the passes that make
	// the model grow. Models without values are built so at once.
	folded weights.Storage
	// grow are these passes, for models of a file.
	grow []string
	// passes are all others.
	passes []string
}

var targets = []target{
	{name: "nnapi-29", title: "NNAPI 29", folded: weights.Float32, grow: []string{"fold-dequantize"},
		passes: []string{"expand-gelu", "split-attention-heads", "fully-connected-to-conv", "sink-reshapes"}},
	{name: "nnapi-fl6", title: "NNAPI level 6", folded: weights.Float32, grow: []string{"fold-dequantize"},
		passes: []string{"expand-gelu"}},
	{name: "coreml-2", title: "Core ML 2", folded: weights.Float32, grow: []string{"fold-dequantize"},
		passes: []string{"expand-gelu", "fully-connected-to-conv", "sink-reshapes"}},
	{name: "coreml-3", title: "Core ML 3", folded: weights.Float16, grow: []string{"dequantize-to-half"},
		passes: []string{"expand-gelu", "fully-connected-to-conv", "sink-reshapes"}},
	{name: "hexagon", title: "Hexagon, 8 bits", integer: true, folded: weights.Int8,
		passes: []string{"expand-quantized-gelu", "split-attention-heads", "fully-connected-to-conv", "sink-reshapes"}},
	{name: "qnn-sm8650", title: "QNN (SM8650)", folded: weights.Int8},
	{name: "xnnpack", title: "XNNPACK", folded: weights.Int8,
		passes: []string{"expand-gelu", "mean-as-fully-connected", "split-as-slices", "narrow-concatenation"}},
}

func (t target) table() (support.Table, error) { return support.ByName(t.name) }

// prepared is a subject as the device gets it, with or without rewrites. Models
// are stored in 8 bits.
func (t target) prepared(s subject, rewrites bool) (m *graph.Model, err error) {
	var names []string
	storage := weights.Int8
	if rewrites {
		names = t.passes
		storage = t.folded
		if s.stored == nil {
			names = append(append([]string(nil), t.grow...), t.passes...)
		}
	}
	if s.stored == nil {
		m = s.file
	} else if m, err = s.stored(storage); err != nil {
		return nil, err
	}
	if t.integer {
		if m, err = inIntegers(m); err != nil {
			return nil, err
		}
	}
	passes, err := rewrite.ByName(names)
	if err != nil {
		return nil, err
	}
	m, _, err = rewrite.Apply(m, passes)
	return m, err
}
