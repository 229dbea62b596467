package main

import (
	"slices"

	_ "nanoflux/delegate/all" // the kinds of backends
	"nanoflux/graph"
	"nanoflux/models/weights"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// target is a delegate with the profile that the program has for it.
type target struct {
	profile, title string
	// integer: the device computes in 8 bits only, and is given an 8-bit model.
	integer bool
}

var targets = []target{
	{profile: "nnapi-29", title: "NNAPI 29"},
	{profile: "nnapi-fl6", title: "NNAPI feature level 6"},
	{profile: "coreml", title: "Core ML 3"},
	{profile: "hexagon", title: "Hexagon, 8-bit model", integer: true},
	{profile: "qnn-tflite", title: "QNN, SM8650"},
	{profile: "xnnpack-cpu", title: "XNNPACK"},
}

// growing are the passes that give weights another storage, and that storage.
// Models without values are built so at once: a copy of their weights in another
// form would occupy memory.
var growing = map[string]weights.Storage{"fold-dequantize": weights.Float32, "dequantize-to-half": weights.Float16}

// load is the target's profile, without its rewrites if they are off.
func (t target) load(rewrites bool) (*profiles.Profile, error) {
	p, err := profiles.Load(t.profile, partition.CheckBackend)
	if err == nil && !rewrites {
		p.Rewrites = nil
	}
	return p, err
}

// prepared is a subject as the device gets it by a profile. Models are stored
// in 8 bits.
func (t target) prepared(s subject, p *profiles.Profile) (m *graph.Model, err error) {
	asked := *p
	if s.file != nil {
		m = s.file
	} else {
		storage := weights.Int8
		asked.Rewrites = slices.DeleteFunc(slices.Clone(p.Rewrites), func(name string) bool {
			folded, grows := growing[name]
			if grows {
				storage = folded
			}
			return grows
		})
		if m, err = s.stored(storage); err != nil {
			return nil, err
		}
	}
	if t.integer {
		if m, err = inIntegers(m); err != nil {
			return nil, err
		}
	}
	m, _, err = partition.Rewritten(m, &asked)
	return m, err
}
