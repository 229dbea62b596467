package text

import (
	"os"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/internal/golden"
)

const t5Goldens = "../data/goldens/text/"

func openT5(t *testing.T, name string) (T5Config, golden.File) {
	t.Helper()
	data, err := os.ReadFile(t5Goldens + name + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseT5Config(data, name+"/config.json")
	if err != nil {
		t.Fatal(err)
	}
	return c, golden.Open(t, t5Goldens+name+"/weights.safetensors")
}

func TestT5StatesAreTheReferences(t *testing.T) {
	for _, name := range []string{"t5-v1_0", "t5-v1_1"} {
		c, w := openT5(t, name)
		io := golden.Open(t, t5Goldens+name+"/io.safetensors")
		for _, run := range []struct {
			name   string
			tokens int
			mask   bool
		}{{"no_mask", 40, false}, {"mask", 40, true}, {"long", 300, false}} {
			t.Run(name+" "+run.name, func(t *testing.T) {
				table, _ := w.Floats(t5Layer(0, 0) + "SelfAttention.relative_attention_bias.weight")
				want, _ := io.Floats(run.name + "/position_bias")
				if !run.mask { // the reference adds the mask to it
					golden.Close(t, "position bias", positionBias(table, c, run.tokens), want, 0)
				}
				m, err := BuildT5(c, w.Weights(), T5Options{Tokens: run.tokens, Mask: run.mask, Taps: true})
				inputs := map[string]graph.Array{"tokens": golden.Int32s(io.Int32s(run.name+"/in.input_ids"), 1, run.tokens)}
				if run.mask {
					var mask []float32
					for _, v := range io.Int32s(run.name + "/in.attention_mask") {
						mask = append(mask, float32(v))
					}
					inputs["mask"] = golden.Float32s(mask, 1, run.tokens)
				}
				out := golden.Compile(t, m, err).Run(inputs)
				// The last of the reference's hidden states is the normalised one.
				for _, s := range [][2]string{{"hidden.0", "hidden.0"}, {"hidden.1", "hidden.1"}, {"text", "hidden.2"}, {"text", "out.last_hidden_state"}} {
					want, _ := io.Floats(run.name + "/" + s[1])
					golden.CloseInRange(t, s[1], out[s[0]], want, 1e-5)
				}
			})
		}
	}
}

func TestT5WeightsThatDoNotFitAreErrors(t *testing.T) {
	c, w := openT5(t, "t5-v1_1")
	_, old := openT5(t, "t5-v1_0")
	flux := golden.Open(t, "../data/goldens/flux-dit/a-tiny/weights.safetensors")
	deeper, wider := c, c
	deeper.Layers++
	wider.Hidden++
	for _, k := range []struct {
		name string
		c    T5Config
		w    golden.File
		want string
	}{
		{"more layers than the file has", deeper, w, "lacks encoder.block.2."},
		{"another width", wider, w, "wi_0.weight is [64 32], not [65 32]"},
		{"v1.0 weights for a v1.1 encoder", c, old, "lacks encoder.block.0.layer.1.DenseReluDense.wi_0.weight"},
		{"another family", c, flux, "not a T5 encoder"},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := BuildT5(k.c, k.w.Weights(), T5Options{Tokens: 4})
			if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, k.want)
			}
		})
	}
	for _, n := range []int{0, -1, 1 << 20} {
		if _, err := BuildT5(c, w.Weights(), T5Options{Tokens: n}); err == nil {
			t.Errorf("%d tokens are built", n)
		}
	}
}
