package flux

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"nanoflux/models/config"
)

const goldens = "../data/goldens/flux-dit/"

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBothLayoutsOfAConfigurationAreTheSame(t *testing.T) {
	a, err := ParseConfig(readFile(t, goldens+"a-tiny/config.json"), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := ParseConfig(readFile(t, goldens+"c-bfl/config.json"), "c")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("diffusers %+v, original %+v", a, b)
	}
	if a.Width() != 64 || a.OutChannels != 64 || a.Rows() != 2*12+2*3+2 {
		t.Errorf("width %d, %d output channels, %d modulation rows", a.Width(), a.OutChannels, a.Rows())
	}
}

func TestConfigurationsThatCannotBeAreErrors(t *testing.T) {
	original := readFile(t, goldens+"a-tiny/config.json")
	with := func(key string, value any) []byte {
		var m map[string]any
		if err := json.Unmarshal(original, &m); err != nil {
			t.Fatal(err)
		}
		if value == nil {
			delete(m, key)
		} else {
			m[key] = value
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name string
		json []byte
		want string
	}{
		{"another family", with("_class_name", "UNet2DConditionModel"), "UNet2DConditionModel, not of a FluxTransformer2DModel"},
		{"a missing key", with("num_layers", nil), `"num_layers" is missing`},
		{"an unknown key", with("norm_type", "rms"), `unknown key "norm_type"`},
		{"axes that do not add up", with("axes_dims_rope", []int{8, 12, 10}), "do not add up to the head dimension 32"},
		{"odd axes", with("axes_dims_rope", []int{8, 11, 13}), "must be even"},
		{"two axes", with("axes_dims_rope", []int{16, 16}), "2 rotary axes"},
		{"patches", with("patch_size", 2), "patch_size is 2"},
		{"absurd depth", with("num_single_layers", 100000), "the most is 1000"},
		{"absurd width", with("num_attention_heads", 100000), "the most is 65536"},
		{"original layout without heads' share", []byte(`{"hidden_size": 65, "num_heads": 2, "in_channels": 1, "depth": 1, "depth_single_blocks": 1, "context_in_dim": 1, "vec_in_dim": 1, "axes_dim": [2,2,2]}`), "hidden_size 65 is not a multiple"},
		{"original layout without biases", []byte(`{"hidden_size": 12, "num_heads": 2, "in_channels": 1, "depth": 1, "depth_single_blocks": 1, "context_in_dim": 1, "vec_in_dim": 1, "axes_dim": [2,2,2], "qkv_bias": false}`), "qkv_bias is false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseConfig(c.json, "config.json")
			if !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Real FLUX.1 sizes: the tensors add up to the published 11.9 billion
// parameters (schnell; dev has the guidance embedder, 10.2 million more).
func TestTensorsOfTheRealModelAddUp(t *testing.T) {
	c := Config{InChannels: 64, OutChannels: 64, Layers: 19, SingleLayers: 38, Heads: 24, HeadDim: 128, MLPRatio: 4,
		TextDim: 4096, PooledDim: 768, AxesDims: []int{16, 56, 56}, Theta: 10000}
	count := func(c Config) (n int) {
		for _, s := range c.Tensors() {
			elements := 1
			for _, d := range s.Shape {
				elements *= d
			}
			n += elements
		}
		return n
	}
	schnell := count(c)
	if schnell != 11_891_178_560 {
		t.Errorf("%d parameters, want 11,891,178,560", schnell)
	}
	c.Guidance = true
	if more := count(c) - schnell; more != 3072*256+3072+3072*3072+3072 {
		t.Errorf("guidance adds %d parameters", more)
	}
}

func TestModulationRowsAreEachUsedOnce(t *testing.T) {
	c := Config{Layers: 3, SingleLayers: 4}
	used := make([]int, c.Rows())
	count := func(rows ...Affine) {
		for _, a := range rows {
			for _, r := range []int{a.Shift, a.Scale, a.Gate} {
				if r >= 0 {
					used[r]++
				}
			}
		}
	}
	for i := range c.Layers {
		count(c.DoubleRows(i))
	}
	for i := range c.SingleLayers {
		count(c.SingleRows(i))
	}
	count(c.FinalRows())
	for r, n := range used {
		if n != 1 {
			t.Errorf("row %d is used %d times", r, n)
		}
	}
	// The layers' scale rows are those that the blocks use as scales.
	scales := map[int]bool{}
	at := 0
	for _, p := range c.modulationParts() {
		for _, s := range p.scales {
			scales[at+s] = true
		}
		at += p.rows
	}
	if at != c.Rows() {
		t.Fatalf("the layers make %d rows of %d", at, c.Rows())
	}
	a, b, d, e := c.DoubleRows(2)
	for _, f := range []Affine{a, b, d, e, c.SingleRows(0), c.SingleRows(3), c.FinalRows()} {
		if !scales[f.Scale] || scales[f.Shift] || scales[f.Gate] {
			t.Errorf("rows %+v do not fit the scales %v", f, scales)
		}
	}
}
