package weights_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/flux"
	"nanoflux/models/safetensors"
	"nanoflux/models/text"
	"nanoflux/models/vae"
	"nanoflux/models/weights"
)

// builder builds a model of one folder's configuration.
type builder func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error)

func TestABlankModelHasTheStructureOfTheRealOne(t *testing.T) {
	const data = "../data/"
	denoiser := func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error) {
		c, err := flux.ParseConfig(config, "test")
		if err != nil {
			return nil, err
		}
		return flux.BuildDenoiser(c, source(c.Tensors()), flux.Shape{Rows: 2, Columns: 3, TextTokens: 4}, flux.Options{Storage: p})
	}
	modulation := func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error) {
		c, err := flux.ParseConfig(config, "test")
		if err != nil {
			return nil, err
		}
		return flux.BuildModulation(c, source(c.Tensors()), flux.ModulationOptions{Options: flux.Options{Storage: p}, ZeroPooled: true})
	}
	encoder := func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error) {
		c, err := text.ParseT5Config(config, "test")
		if err != nil {
			return nil, err
		}
		return text.BuildT5(c, source(c.Tensors()), text.T5Options{Tokens: 7, Storage: p})
	}
	decoder := func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error) {
		c, err := vae.ParseKLConfig(config, "test")
		if err != nil {
			return nil, err
		}
		return vae.BuildKLDecoder(c, source(c.DecoderTensors()), 3, 4, vae.Options{Storage: p})
	}
	pocketDecoder := func(config []byte, source func([]weights.Spec) weights.Source, p weights.Policy) (*graph.Model, error) {
		c, err := vae.ParsePocketConfig(config, "test")
		if err != nil {
			return nil, err
		}
		return vae.BuildPocketDecoder(c, source(c.Tensors()), vae.Options{Storage: p})
	}
	for _, c := range []struct {
		name, config, weights string
		build                 builder
	}{
		{"a denoiser", "goldens/flux-dit/b-d96/config.json", "goldens/flux-dit/b-d96/weights.safetensors", denoiser},
		{"its modulation", "goldens/flux-dit/b-d96/config.json", "goldens/flux-dit/b-d96/weights.safetensors", modulation},
		{"T5 1.0", "goldens/text/t5-v1_0/config.json", "goldens/text/t5-v1_0/weights.safetensors", encoder},
		{"T5 1.1", "goldens/text/t5-v1_1/config.json", "goldens/text/t5-v1_1/weights.safetensors", encoder},
		{"FLUX's decoder", "goldens/vae/kl/config.json", "goldens/vae/kl/weights.safetensors", decoder},
		{"the pocket denoiser", "pocket/denoiser.config.json", "pocket/denoiser.safetensors", denoiser},
		{"the pocket decoder", "pocket/vae.config.json", "pocket/vae.safetensors", pocketDecoder},
	} {
		for _, storage := range []weights.Storage{weights.Float32, weights.Float16, weights.Int8} {
			if testing.Short() && storage == weights.Int8 && strings.Contains(c.name, "pocket") {
				continue // under an emulator rounding so many weights takes ten seconds
			}
			t.Run(c.name+" in "+storage.String(), func(t *testing.T) {
				config, err := os.ReadFile(filepath.Join(data, c.config))
				if err != nil {
					t.Fatal(err)
				}
				file, err := safetensors.Open(filepath.Join(data, c.weights))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = file.Close() }()
				real, err := c.build(config, func([]weights.Spec) weights.Source { return file }, weights.Uniform(storage))
				if err != nil {
					t.Fatal(err)
				}
				blank, err := c.build(config, blankSource(t), weights.Uniform(storage))
				if err != nil {
					t.Fatal(err)
				}
				sameStructure(t, blank, real)
			})
		}
	}
}

func blankSource(t *testing.T) func([]weights.Spec) weights.Source {
	return func(list []weights.Spec) weights.Source {
		s, err := weights.Blank(list)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// sameStructure: everything but the values of constants is the same.
func sameStructure(t *testing.T, got, want *graph.Model) {
	t.Helper()
	a, b := &got.Subgraphs[0], &want.Subgraphs[0]
	if !reflect.DeepEqual(a.Ops, b.Ops) || !reflect.DeepEqual(a.Inputs, b.Inputs) || !reflect.DeepEqual(a.Outputs, b.Outputs) || !reflect.DeepEqual(got.Signatures, want.Signatures) {
		t.Error("operators, inputs, outputs or signatures differ")
	}
	if len(a.Tensors) != len(b.Tensors) || len(got.Buffers) != len(want.Buffers) {
		t.Fatalf("%d tensors and %d buffers, want %d and %d", len(a.Tensors), len(got.Buffers), len(b.Tensors), len(want.Buffers))
	}
	for i := range a.Tensors {
		x, y := a.Tensors[i], b.Tensors[i]
		if len(got.Buffers[x.Buffer]) != len(want.Buffers[y.Buffer]) {
			t.Errorf("tensor %s has %d bytes, want %d", x.Name, len(got.Buffers[x.Buffer]), len(want.Buffers[y.Buffer]))
		}
		if (x.Quantization == nil) != (y.Quantization == nil) || x.Quantization != nil &&
			(len(x.Quantization.Scale) != len(y.Quantization.Scale) || x.Quantization.Dimension != y.Quantization.Dimension) {
			t.Errorf("tensor %s is quantized as %v, want %v", x.Name, x.Quantization, y.Quantization)
		}
		x.Quantization, y.Quantization = nil, nil
		if !reflect.DeepEqual(x, y) {
			t.Errorf("tensor %+v, want %+v", x, y)
		}
	}
}

func TestBlankWeightsOfALargeModelOccupyNothing(t *testing.T) {
	c := flux.Config{InChannels: 64, OutChannels: 64, Layers: 2, SingleLayers: 2, Heads: 24, HeadDim: 128, MLPRatio: 4, TextDim: 4096, PooledDim: 768, AxesDims: []int{16, 56, 56}, Theta: 10000}
	m, err := flux.BuildDenoiser(c, blankSource(t)(c.Tensors()), flux.Shape{Rows: 4, Columns: 4, TextTokens: 8}, flux.Options{Storage: weights.Uniform(weights.Int8)})
	if err != nil {
		t.Fatal(err)
	}
	// The weights of all layers begin at the same address.
	shared, bytes := map[*byte]int{}, 0
	for _, b := range m.Buffers {
		if len(b) >= 1<<20 {
			shared[&b[0]]++
			bytes += len(b)
		}
	}
	if len(shared) != 1 || bytes < 500<<20 {
		t.Errorf("%d bytes of weights at %d addresses; must be many at one", bytes, len(shared))
	}
}

func TestBlankTensorsAreRefusedWhenTheyCannotBe(t *testing.T) {
	if _, err := weights.Blank([]weights.Spec{{Name: "huge", Shape: []int{1 << 20, 1 << 20}}}); err == nil {
		t.Error("a tensor of 2⁴⁰ elements is taken")
	}
	s := blankSource(t)([]weights.Spec{{Name: "a", Shape: []int{2, 3}}, {Name: "b", Shape: []int{6}}})
	if _, err := s.Float32s("a", 3, 2); err == nil {
		t.Error("a tensor is given in another shape than its own")
	}
	a, _ := s.Float32s("a", 2, 3)
	b, _ := s.Float32s("b", 6)
	if joined := weights.Join(a, b); !weights.IsBlank(joined) || len(joined) != 12 {
		t.Errorf("two blank tensors joined are %d values, blank: %v", len(joined), weights.IsBlank(joined))
	}
	if joined := weights.Join(a, []float32{1}); weights.IsBlank(joined) || len(joined) != 7 || joined[6] != 1 {
		t.Errorf("a blank tensor joined with a 1 is %v", joined)
	}
	if weights.IsBlank(make([]float32, 6)) || weights.IsBlank(nil) {
		t.Error("plain zeros count as blank")
	}
}
