package rewrite

import (
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
)

// combinations are sets of passes as profiles want them.
var combinations = []struct {
	name   string
	passes []string
}{
	{"NNAPI 29", []string{"fold-dequantize", "fold-constants", "expand-gelu", "split-attention-heads", "fully-connected-to-conv", "sink-reshapes"}},
	{"NNAPI feature level 6", []string{"fold-dequantize", "expand-gelu", "flatten-fully-connected", "fill-bias", "merge-reshapes"}},
	{"Core ML", []string{"fold-dequantize", "expand-gelu", "expand-logistic", "sub-as-add", "mean-as-fully-connected", "fully-connected-to-conv", "merge-transposes", "transpose-as-reshape", "sink-reshapes"}},
	{"weights as they are stored", []string{"fully-connected-to-conv", "sink-reshapes"}},
	{"every pass but one that undoes another", everyPass()},
}

func everyPass() []string {
	var names []string
	for _, p := range Passes() {
		if p.Name != "conv-to-fully-connected" && !p.Approximate {
			names = append(names, p.Name)
		}
	}
	return names
}

// The text encoder, the denoiser and the decoder of the small model, rewritten
// as profiles want them, make the same outputs as before.
func TestTheSmallModelIsTheSameAfterRewrites(t *testing.T) {
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, part := range []string{"text_encoder", "modulation", "denoiser", "decoder"} {
		m, err := b.Model(part)
		if err != nil {
			t.Fatal(err)
		}
		inputs := smallInputs(m)
		want := ran(t, m, inputs)
		for _, c := range combinations {
			if testing.Short() && part == "decoder" && c.name != "Core ML" {
				continue // under an emulator each takes five seconds and more
			}
			t.Run(part+" for "+c.name, func(t *testing.T) {
				passes, err := ByName(c.passes)
				if err != nil {
					t.Fatal(err)
				}
				out, wins, err := Apply(m, passes)
				if err != nil {
					t.Fatal(err)
				}
				changed := 0
				for _, w := range wins {
					changed += w.Changed
				}
				if changed == 0 && part != "decoder" { // it has no FULLY_CONNECTED
					t.Error("nothing was changed")
				}
				sameInterface(t, m, out)
				got := ran(t, out, inputs)
				for i := range want {
					if err := near(got[i], want[i], 2e-5, 0); err != nil {
						t.Errorf("output %d: %v", i, err)
					}
				}
			})
		}
	}
}

// smallInputs are random floats, and small numbers for tokens.
func smallInputs(m *graph.Model) []graph.Array {
	r := rand.New(rand.NewPCG(4, 4))
	inputs := randomInputs(r, m, false)
	for i := range inputs {
		if inputs[i].Type == graph.Int32 {
			for j := range graph.View[int32](inputs[i].Data) {
				graph.View[int32](inputs[i].Data)[j] = int32(r.IntN(64))
			}
		}
	}
	return inputs
}
