package delegate

import (
	"slices"

	"nanoflux/graph"
)

// compiledMetadata begins the name of a model's metadata that holds code; a
// backend's kind follows.
const compiledMetadata = "nanoflux.compiled."

// WithCompiled is a segment that brings along what a vendor's compiler made of it
// ahead of time, for backends of that kind. It shares everything else. The code is
// the backend's own matter; it travels as metadata of the model, so that it
// reaches a backend in another process as weights do.
func WithCompiled(segment *graph.Model, kind string, code []byte) *graph.Model {
	m := *segment
	m.Metadata = append(slices.Clip(m.Metadata), graph.Metadata{Name: compiledMetadata + kind, Buffer: len(m.Buffers)})
	m.Buffers = append(slices.Clip(m.Buffers), code)
	return &m
}

// Compiled is the code that a segment brings along for backends of that kind, or
// nil, and the segment as it was before WithCompiled.
func Compiled(segment *graph.Model, kind string) (code []byte, bare *graph.Model) {
	last := len(segment.Metadata) - 1
	if last < 0 || segment.Metadata[last].Name != compiledMetadata+kind || segment.Metadata[last].Buffer != len(segment.Buffers)-1 {
		return nil, segment
	}
	m := *segment
	m.Metadata = m.Metadata[:last]
	m.Buffers = m.Buffers[:len(m.Buffers)-1]
	return segment.Buffers[len(m.Buffers)], &m
}
