package vae

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/internal/golden"
	"nanoflux/models/weights"
)

const (
	pocketData = "../data/pocket/"
	klGoldens  = "../data/goldens/vae/kl/"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func openPocket(t *testing.T) (PocketConfig, weights.Source) {
	t.Helper()
	c, err := ParsePocketConfig(readFile(t, pocketData+"vae.config.json"), "vae.config.json")
	if err != nil {
		t.Fatal(err)
	}
	return c, golden.Open(t, pocketData+"vae.safetensors").Weights()
}

func TestPocketDecoderIsTheReferenceStageByStage(t *testing.T) {
	c, w := openPocket(t)
	io := golden.Open(t, pocketData+"goldens.safetensors")
	m, err := BuildPocketDecoder(c, w, Options{Taps: true})
	decoder := golden.Compile(t, m, err)
	latents, shape := io.Floats("latent_denormalised")
	images, _ := io.Floats("image")
	n, size := shape[1]*shape[2]*shape[3], c.ImageSize*c.ImageSize*c.ImageChannels
	for i := range shape[0] {
		latent := golden.ChannelsLast(latents[i*n:(i+1)*n], shape[1], shape[2], shape[3])
		out := decoder.Run(map[string]graph.Array{"latent": golden.Float32s(latent, 1, shape[2], shape[3], shape[1])})
		got := golden.ChannelsFirst(out["image"], c.ImageSize, c.ImageSize, c.ImageChannels)
		golden.Close(t, "image", got, images[i*size:(i+1)*size], 2e-4)
		if i == 0 {
			compareBlocks(t, io, "decoder", out, len(c.Decoder.Channels))
		}
	}
}

func TestPocketEncoderIsTheReferenceStageByStage(t *testing.T) {
	c, w := openPocket(t)
	io := golden.Open(t, pocketData+"goldens.safetensors")
	m, err := BuildPocketEncoder(c, w, Options{Taps: true})
	image, shape := io.Floats("encoder.image")
	out := golden.Compile(t, m, err).Run(map[string]graph.Array{
		"image": golden.Float32s(golden.ChannelsLast(image, shape[1], shape[2], shape[3]), 1, shape[2], shape[3], shape[1]),
	})
	compareBlocks(t, io, "encoder", out, len(c.Encoder.Channels))
	want, shape := io.Floats("encoder.latent")
	golden.Close(t, "latent", golden.ChannelsFirst(out["latent"], shape[2], shape[3], shape[1]), want, 1e-4)

	m, err = BuildPocketDecoder(c, w, Options{})
	again := golden.Compile(t, m, err).Run(map[string]graph.Array{"latent": golden.Float32s(out["latent"], 1, shape[2], shape[3], shape[1])})
	want, shape = io.Floats("encoder.reconstruction")
	golden.Close(t, "reconstruction", golden.ChannelsFirst(again["image"], shape[2], shape[3], shape[1]), want, 2e-4)
}

// compareBlocks compares the states after each stage, which are as large as
// tens, within 1e-5 of their range.
func compareBlocks(t *testing.T, io golden.File, side string, out map[string][]float32, n int) {
	t.Helper()
	for i := range n {
		name := "block" + string(rune('1'+i))
		want, shape := io.Floats(side + "." + name)
		golden.CloseInRange(t, side+"."+name, golden.ChannelsFirst(out[name], shape[2], shape[3], shape[1]), want, 1e-5)
	}
}

func TestKLDecoderIsTheReferenceStageByStage(t *testing.T) {
	c, err := ParseKLConfig(readFile(t, klGoldens+"config.json"), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	io := golden.Open(t, klGoldens+"io.safetensors")
	latent, shape := io.Floats("in.latent")
	m, err := BuildKLDecoder(c, golden.Open(t, klGoldens+"weights.safetensors").Weights(), shape[2], shape[3], Options{Taps: true})
	out := golden.Compile(t, m, err).Run(map[string]graph.Array{
		"latent": golden.Float32s(golden.ChannelsLast(latent, shape[1], shape[2], shape[3]), 1, shape[2], shape[3], shape[1]),
	})
	for tap, name := range map[string]string{"conv_in": "decoder.conv_in", "mid_attn": "decoder.mid_attn", "mid": "decoder.mid", "up0": "decoder.up0", "image": "out.image"} {
		want, shape := io.Floats(name)
		golden.CloseInRange(t, name, golden.ChannelsFirst(out[tap], shape[2], shape[3], shape[1]), want, 1e-5)
	}
}

func TestAutoencoderConfigurationsThatCannotBeAreErrors(t *testing.T) {
	with := func(path, key string, value any) []byte {
		var m map[string]any
		if err := json.Unmarshal(readFile(t, path), &m); err != nil {
			t.Fatal(err)
		}
		at, keys := m, strings.Split(key, ".")
		for _, k := range keys[:len(keys)-1] {
			at = at[k].(map[string]any)
		}
		if last := keys[len(keys)-1]; value == nil {
			delete(at, last)
		} else {
			at[last] = value
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	pocket := func(data []byte) error { _, err := ParsePocketConfig(data, "vae.json"); return err }
	kl := func(data []byte) error { _, err := ParseKLConfig(data, "vae.json"); return err }
	pocketFile, klFile := pocketData+"vae.config.json", klGoldens+"config.json"
	for _, k := range []struct {
		name string
		err  error
		want string
	}{
		{"pocket: another family", pocket(with(pocketFile, "_class_name", "AutoencoderKL")), "AutoencoderKL, not of a PocketAutoencoder"},
		{"pocket: a missing key", pocket(with(pocketFile, "patch", nil)), `"patch" is missing`},
		{"pocket: a missing inner key", pocket(with(pocketFile, "decoder.blocks", nil)), `decoder: key "blocks" is missing`},
		{"pocket: an unknown inner key", pocket(with(pocketFile, "encoder.attention", true)), `encoder: unknown key "attention"`},
		{"pocket: stages that do not make the size", pocket(with(pocketFile, "downsample", 8)), "downsample is 8"},
		{"pocket: blocks without channels", pocket(with(pocketFile, "decoder.blocks", []int{1, 1})), "as many of one as of the other"},
		{"pocket: too few statistics", pocket(with(pocketFile, "latent_stats.mean", []float64{1})), "1 means and 16 deviations"},
		{"pocket: a deviation of zero", pocket(with(pocketFile, "latent_stats.std", make([]float64, 16))), "deviation 0 of latent_stats is 0"},
		{"kl: another family", kl(with(klFile, "_class_name", "AutoencoderTiny")), "AutoencoderTiny, not of an AutoencoderKL"},
		{"kl: quantization convolutions", kl(with(klFile, "use_post_quant_conv", true)), "use_post_quant_conv is true"},
		{"kl: another block", kl(with(klFile, "up_block_types", []string{"AttnUpDecoderBlock2D"})), `"AttnUpDecoderBlock2D"`},
		{"kl: groups that do not divide the channels", kl(with(klFile, "norm_num_groups", 5)), "not a multiple of norm_num_groups 5"},
		{"kl: an unknown key", kl(with(klFile, "temporal", true)), `unknown key "temporal"`},
	} {
		t.Run(k.name, func(t *testing.T) {
			if !errors.Is(k.err, config.ErrConfig) || !strings.Contains(k.err.Error(), k.want) {
				t.Errorf("error %v, want %q", k.err, k.want)
			}
		})
	}
}

func TestAutoencoderWeightsThatDoNotFitAreErrors(t *testing.T) {
	c, w := openPocket(t)
	kl := golden.Open(t, klGoldens+"weights.safetensors").Weights()
	deeper := c
	deeper.Decoder = PocketStages{Channels: c.Decoder.Channels, Blocks: []int{4, 2, 2}}
	if _, err := BuildPocketDecoder(deeper, w, Options{}); !errors.Is(err, weights.ErrWeights) || !strings.Contains(err.Error(), "lacks decoder.block1.3.norm1.weight") {
		t.Errorf("error %v", err)
	}
	if _, err := BuildPocketEncoder(c, kl, Options{}); !errors.Is(err, weights.ErrWeights) {
		t.Errorf("error %v", err)
	}
	k, err := ParseKLConfig(readFile(t, klGoldens+"config.json"), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := BuildKLDecoder(k, w, 4, 4, Options{}); !errors.Is(err, weights.ErrWeights) {
		t.Errorf("error %v", err)
	}
	if _, err := BuildKLDecoder(k, kl, 0, 4, Options{}); !errors.Is(err, config.ErrConfig) {
		t.Errorf("error %v", err)
	}
}
