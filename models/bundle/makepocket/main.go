// Command makepocket makes the pocket bundle from the trained weights in
// models/data/pocket. It runs by `go generate ./models/bundle/pocket`.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/flux"
	"nanoflux/models/safetensors"
	"nanoflux/models/text"
	"nanoflux/models/vae"
	"nanoflux/models/weights"
)

// storage: int8 weights give 55 dB against the float32 pictures; the layers at
// either end of the denoiser and of the decoder, which are small, are worth
// float16 (1 to 2 dB).
var storage = weights.Policy{
	Matrices: weights.Int8, Tables: weights.Float16,
	Exceptions: []weights.Exception{
		{Pattern: "x_embedder.weight", Storage: weights.Float16},
		{Pattern: "context_embedder.weight", Storage: weights.Float16},
		{Pattern: "final/proj_out.weight", Storage: weights.Float16},
		{Pattern: "conv_in.weight", Storage: weights.Float16},
		{Pattern: "conv_out.weight", Storage: weights.Float16},
	},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("makepocket: ")
	from := flag.String("from", "", "folder with the weights")
	to := flag.String("to", "", "zip to write")
	flag.Parse()
	if *from == "" || *to == "" {
		log.Fatal("-from and -to are needed")
	}
	m, files, err := makeBundle(*from)
	if err != nil {
		log.Fatal(err)
	}
	if err := bundle.WriteFile(*to, m, files); err != nil {
		log.Fatal(err)
	}
	fmt.Println("wrote", *to)
}

// settings are what models/data/pocket/config.json says and a bundle needs.
type settings struct {
	ImageSize   int   `json:"image_size"`
	LatentShape []int `json:"latent_shape"` // channels, rows, columns
	MaxTokens   int   `json:"max_text_tokens"`
	Lowercase   bool  `json:"lowercase_prompt"`
	Steps       int   `json:"steps"`
}

// makeBundle makes the manifest and the files of the pocket bundle.
func makeBundle(from string) (*bundle.Manifest, map[string][]byte, error) {
	var s settings
	raw, err := os.ReadFile(filepath.Join(from, "config.json"))
	if err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, nil, fmt.Errorf("config.json: %w", err)
	}
	m, err := manifest(from, s)
	if err != nil {
		return nil, nil, err
	}
	files := map[string][]byte{}
	if files["spiece.model"], err = os.ReadFile(filepath.Join(from, "spiece.model")); err != nil {
		return nil, nil, err
	}
	models, latent, err := buildParts(from, s)
	if err != nil {
		return nil, nil, err
	}
	m.Latent = latent
	for name, model := range models {
		file := name + ".tflite"
		if files[file], err = graph.Marshal(model); err != nil {
			return nil, nil, err
		}
		m.Parts[name] = bundle.Describe(file, model)
	}
	return m, files, nil
}

// buildParts builds the four graphs from config and weights.
func buildParts(from string, s settings) (map[string]*graph.Model, bundle.Latent, error) {
	models := map[string]*graph.Model{}
	var latent bundle.Latent
	steps := []struct {
		name  string
		build func(config []byte, where string, w weights.Source) error
	}{
		{"text_encoder", func(config []byte, where string, w weights.Source) error {
			c, err := text.ParseT5Config(config, where)
			if err != nil {
				return err
			}
			models["text_encoder"], err = text.BuildT5(c, w, text.T5Options{Tokens: s.MaxTokens, Storage: storage})
			return err
		}},
		{"denoiser", func(config []byte, where string, w weights.Source) error {
			c, err := flux.ParseConfig(config, where)
			if err != nil {
				return err
			}
			o := flux.Options{Storage: storage}
			// A token is 2×2 latent pixels.
			shape := flux.Shape{Rows: s.LatentShape[1] / 2, Columns: s.LatentShape[2] / 2, TextTokens: s.MaxTokens}
			if models["denoiser"], err = flux.BuildDenoiser(c, w, shape, o); err != nil {
				return err
			}
			models["modulation"], err = flux.BuildModulation(c, w, flux.ModulationOptions{Options: o, ZeroPooled: true})
			return err
		}},
		{"vae", func(config []byte, where string, w weights.Source) error {
			c, err := vae.ParsePocketConfig(config, where)
			if err != nil {
				return err
			}
			latent = bundle.Latent{Mean: c.Mean, Std: c.Std}
			models["decoder"], err = vae.BuildPocketDecoder(c, w, vae.Options{Storage: storage})
			return err
		}},
	}
	for _, step := range steps {
		where := filepath.Join(from, step.name+".config.json")
		config, err := os.ReadFile(where)
		if err != nil {
			return nil, latent, err
		}
		w, err := safetensors.Open(filepath.Join(from, step.name+".safetensors"))
		if err != nil {
			return nil, latent, err
		}
		err = step.build(config, where, w)
		if closing := w.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return nil, latent, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return models, latent, nil
}

func manifest(from string, s settings) (*bundle.Manifest, error) {
	knows, err := readPrompts(filepath.Join(from, "prompts.txt"))
	if err != nil {
		return nil, err
	}
	return &bundle.Manifest{
		Version:     bundle.FormatVersion,
		Name:        "pocket",
		Description: "A small FLUX-style model: one of 40 everyday objects, in two styles, on eight plain backgrounds.",
		Licences: []string{
			"weights: Apache-2.0, the nanoflux authors",
			"trained on Fluent Emoji: MIT, Microsoft Corporation; captions from CLDR labels by emojibase-data: MIT",
		},
		Parts: map[string]bundle.Part{},
		Tokenizer: bundle.Tokenizer{
			Kind: "sentencepiece-unigram", File: "spiece.model", Tokens: s.MaxTokens, Lowercase: s.Lowercase,
			EndOfSequence: 1, Padding: 0,
		},
		Image:    bundle.Size{Width: s.ImageSize, Height: s.ImageSize},
		Schedule: bundle.Schedule{Kind: "flow-match-euler", Steps: s.Steps, Shift: 1},
		Knows:    knows,
		Limits: []string{
			"two objects at once (\"a banana and a guitar\") are experimental: the order is a coin toss, and a quarter come out doubled or melted",
			"plurals, counts and objects that it does not list give a shapeless blob",
			"colour words belong to the background: \"blue car\" is a red car on blue",
		},
	}, nil
}

// readPrompts reads the lists of prompts.txt: sections in brackets, one entry a
// line, "name | other name" for objects, "name r,g,b" for backgrounds.
func readPrompts(path string) (bundle.Knows, error) {
	var k bundle.Knows
	data, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	section := ""
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section, _, _ = strings.Cut(line[1:], "]")
		case section == "objects":
			names := strings.Split(line, " | ")
			k.Objects = append(k.Objects, bundle.Object{Name: names[0], Also: names[1:]})
		case section == "styles":
			k.Styles = append(k.Styles, line)
		case section == "backgrounds":
			name, _, _ := strings.Cut(line, " ")
			k.Backgrounds = append(k.Backgrounds, name)
		}
	}
	if len(k.Objects) == 0 || len(k.Styles) == 0 || len(k.Backgrounds) == 0 {
		return k, fmt.Errorf("%s: objects, styles or backgrounds are missing", path)
	}
	return k, nil
}
