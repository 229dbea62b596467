package graph

import (
	"fmt"

	"nanoflux/graph/schema"
)

// Structure is Marshal without the data of the buffers that apart names: what
// another process needs that has those bytes already. ReadWith puts both
// together.
func Structure(m *Model, apart func(buffer int) bool) ([]byte, error) {
	bare := *m
	bare.Buffers = make([]Buffer, len(m.Buffers))
	for i, b := range m.Buffers {
		if !apart(i) {
			bare.Buffers[i] = b
		}
	}
	return Marshal(&bare)
}

// ReadWith is Read of a Structure, with the buffers that it lacks. file is where
// they lie, for MarshalInPlace; nil if in several places.
func ReadWith(structure []byte, name string, buffers map[int]Buffer, file []byte) (*Model, error) {
	if len(structure) > maxFlatbuffer {
		return nil, fmt.Errorf("%s: %w: %d bytes are too many", name, ErrFormat, len(structure))
	}
	if err := verify(structure); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	r := reader{file: structure, root: schema.GetRootAsModel(structure, 0), copied: map[*byte][]byte{}}
	m, err := r.model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	m.Name, m.File = name, file
	for i, b := range buffers {
		if i <= 0 || i >= len(m.Buffers) || len(m.Buffers[i]) > 0 {
			return nil, fmt.Errorf("%s: %w: it has no room for buffer %d", name, ErrFormat, i)
		}
		m.Buffers[i] = b
	}
	if err := Check(m); err != nil {
		return nil, err
	}
	if err := r.align(m); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return m, nil
}
