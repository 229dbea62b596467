package rewrite

import (
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
)

// FuzzPasses gives what the reader takes to every pass: none may panic, and
// what one makes must be a model.
func FuzzPasses(f *testing.F) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		m := built(f, randomModel(r))
		if seed%2 == 1 {
			cases := layers(0, nil, nil, 0)
			m = built(f, cases[int(seed)%len(cases)].build)
		}
		data, err := graph.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := graph.Read(data, "fuzz")
		if err != nil {
			return
		}
		for _, p := range Passes() {
			out, _, err := p.Apply(m)
			if err != nil {
				continue
			}
			if err := graph.Check(out); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	})
}
