// Package bundle reads and writes finished models: a folder, or one zip, with
// bundle.yaml, the .tflite parts and the tokenizer. The manifest holds the size
// and the SHA-256 of every other file.
//
// It knows files and what they claim, and nothing of how parts are run.
package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Errors that callers test for with errors.Is.
var (
	// ErrFormat: not a bundle, or a damaged one.
	ErrFormat = errors.New("not a usable bundle")
	// ErrHash: a file is not the one that the manifest was written for.
	ErrHash = errors.New("file differs from the manifest")
	// ErrClosed: the bundle was closed.
	ErrClosed = errors.New("bundle is closed")
)

// FormatVersion is the version of the manifest that this program reads.
const FormatVersion = 1

// ManifestName is the manifest's file name in a bundle.
const ManifestName = "bundle.yaml"

// Manifest is bundle.yaml.
type Manifest struct {
	Version     int    `yaml:"version" json:"version"`
	Name        string `yaml:"name" json:"name"`
	Description string `yaml:"description" json:"description"`
	// Licences are those of weights and of what they were trained on, one line
	// each.
	Licences []string `yaml:"licences" json:"licences"`
	// Parts are the models by name: text_encoder, modulation, denoiser,
	// decoder.
	Parts     map[string]Part `yaml:"parts" json:"parts"`
	Tokenizer Tokenizer       `yaml:"tokenizer" json:"tokenizer"`
	Image     Size            `yaml:"image" json:"image"`
	Latent    Latent          `yaml:"latent" json:"latent"`
	Schedule  Schedule        `yaml:"schedule" json:"schedule"`
	// Guidance is the value for models with a guidance embedding.
	Guidance float32 `yaml:"guidance,omitempty" json:"guidance,omitempty"`
	Knows    Knows   `yaml:"knows,omitempty" json:"knows"`
	// Limits say what the model cannot do, one line each.
	Limits []string `yaml:"limits,omitempty" json:"limits,omitempty"`
	// Compiled are segments of parts that vendors' compilers made ready.
	Compiled []Compiled `yaml:"compiled,omitempty" json:"compiled,omitempty"`
	// Files are all files but the manifest, by name.
	Files map[string]File `yaml:"files" json:"files"`
}

// Part is one model.
type Part struct {
	File string `yaml:"file" json:"file"`
	// Inputs and Outputs say what the graph takes and gives, in its order:
	// "text: FLOAT32 [1 24 128]". See Describe.
	Inputs  []string `yaml:"inputs" json:"inputs"`
	Outputs []string `yaml:"outputs" json:"outputs"`
}

// Tokenizer says how a prompt becomes ids.
type Tokenizer struct {
	// Kind is "sentencepiece-unigram".
	Kind string `yaml:"kind" json:"kind"`
	File string `yaml:"file" json:"file"`
	// Tokens that the text encoder reads, end of sequence included.
	Tokens        int   `yaml:"tokens" json:"tokens"`
	Lowercase     bool  `yaml:"lowercase" json:"lowercase"`
	EndOfSequence int32 `yaml:"end_of_sequence" json:"end_of_sequence"`
	Padding       int32 `yaml:"padding" json:"padding"`
}

// Size of the picture in pixels.
type Size struct {
	Width  int `yaml:"width" json:"width"`
	Height int `yaml:"height" json:"height"`
}

// Latent takes the sampler's latent to the decoder's: z = x·Std + Mean, by
// channel, or with one value for all.
type Latent struct {
	Mean []float32 `yaml:"mean,flow" json:"mean"`
	Std  []float32 `yaml:"std,flow" json:"std"`
}

// Schedule is the sampler's.
type Schedule struct {
	// Kind is "flow-match-euler".
	Kind string `yaml:"kind" json:"kind"`
	// Steps that the model was made for.
	Steps int `yaml:"steps" json:"steps"`
	// Shift of the noise levels; 1 for none.
	Shift float64 `yaml:"shift" json:"shift"`
	// Dynamic shifts by the number of image tokens instead.
	Dynamic bool `yaml:"dynamic,omitempty" json:"dynamic,omitempty"`
}

// File is what the manifest knows of a file.
type File struct {
	Size   int64  `yaml:"size" json:"size"`
	SHA256 string `yaml:"sha256" json:"sha256"`
}

// ParseManifest reads bundle.yaml. Unknown keys, missing keys and wrong types are
// errors that begin with name, line and column.
func ParseManifest(data []byte, name string) (*Manifest, error) {
	if len(data) > mostManifest {
		return nil, fmt.Errorf("%s: %w: it has %d bytes; the most is %d", name, ErrFormat, len(data), mostManifest)
	}
	root, bad := document(data)
	m := &Manifest{}
	if bad == nil {
		bad = new(strictReader).read(root, reflect.ValueOf(m).Elem(), "the manifest")
	}
	if bad != nil {
		return nil, bad.at(name)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return m, nil
}

const (
	mostTokens = 1 << 16
	mostPixels = 1 << 16
	mostSteps  = 1000
	// mostManifest bounds the size of bundle.yaml.
	mostManifest = 1 << 20
)

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (m *Manifest) check() error {
	switch {
	case m.Version != FormatVersion:
		return fmt.Errorf("version is %d; this program reads %d", m.Version, FormatVersion)
	case m.Name == "" || !plain(m.Name):
		return fmt.Errorf("name is %q, must be up to %d printable characters", m.Name, longestName)
	case len(m.Parts) == 0:
		return errors.New("parts are missing")
	case m.Tokenizer.Kind != "sentencepiece-unigram":
		return fmt.Errorf("tokenizer kind is %q; this program reads sentencepiece-unigram", m.Tokenizer.Kind)
	case m.Tokenizer.Tokens < 1 || m.Tokenizer.Tokens > mostTokens:
		return fmt.Errorf("tokenizer tokens is %d, must be from 1 to %d", m.Tokenizer.Tokens, mostTokens)
	case m.Image.Width < 1 || m.Image.Height < 1 || m.Image.Width > mostPixels || m.Image.Height > mostPixels:
		return fmt.Errorf("image is %d×%d, must be from 1 to %d", m.Image.Width, m.Image.Height, mostPixels)
	case m.Schedule.Kind != "flow-match-euler":
		return fmt.Errorf("schedule kind is %q; this program has flow-match-euler", m.Schedule.Kind)
	case m.Schedule.Steps < 1 || m.Schedule.Steps > mostSteps:
		return fmt.Errorf("schedule steps is %d, must be from 1 to %d", m.Schedule.Steps, mostSteps)
	case !(m.Schedule.Shift > 0) || math.IsInf(m.Schedule.Shift, 0):
		return fmt.Errorf("schedule shift is %v, must be positive", m.Schedule.Shift)
	}
	for _, list := range [][]float32{m.Latent.Mean, m.Latent.Std, {m.Guidance}} {
		for _, v := range list {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("%v is not a finite number", v)
			}
		}
	}
	if err := m.Knows.check(); err != nil {
		return fmt.Errorf("knows: %w", err)
	}
	return m.checkFiles()
}

const longestName = 200

// plain reports whether a name is short and can be printed on one line.
func plain(name string) bool {
	return len(name) <= longestName && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (m *Manifest) checkFiles() error {
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		f := m.Files[name]
		if !validName(name) {
			return fmt.Errorf("file name %q leaves the bundle or is not plain", name)
		}
		if f.Size < 0 || !hexHash.MatchString(f.SHA256) {
			return fmt.Errorf("file %q needs a size and a SHA-256 of 64 hexadecimal digits", name)
		}
	}
	if err := m.checkCompiled(); err != nil {
		return err
	}
	needed := map[string]string{"tokenizer": m.Tokenizer.File}
	for name, p := range m.Parts {
		needed["part "+name] = p.File
	}
	for _, what := range slices.Sorted(maps.Keys(needed)) {
		if _, listed := m.Files[needed[what]]; !listed {
			return fmt.Errorf("%s names file %q, which is not under files", what, needed[what])
		}
	}
	return nil
}

// validName reports whether a name stays in the bundle on every platform.
func validName(name string) bool {
	return plain(name) && name != ManifestName && name != "." && fs.ValidPath(name) && !strings.ContainsAny(name, "\\:")
}

// YAML is the manifest as bundle.yaml holds it.
func (m *Manifest) YAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("writing %s: %w", ManifestName, err)
	}
	return b.Bytes(), nil
}
