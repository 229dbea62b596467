// Package vae turns the weights of autoencoders into graphs: latent to picture
// and picture to latent. Each autoencoder family has its own files (pocket…).
//
// It knows the families' names and formulas and nothing of who runs the graphs.
package vae

import (
	"fmt"

	"nanoflux/models/config"
	"nanoflux/models/weights"
)

// PocketConfig is the architecture of the pocket autoencoder: residual blocks
// of 3×3 convolutions at a few resolutions, sub-pixel up- and down-sampling,
// and nothing else. Its tensors are named encoder.… and decoder.….
type PocketConfig struct {
	// ImageChannels and ImageSize describe the square picture.
	ImageChannels, ImageSize int
	// Patch is the side of the square of pixels that becomes one position of
	// the finest feature map.
	Patch int
	// LatentChannels of the latent, which is ImageSize/Downsample a side.
	LatentChannels, Downsample int
	// Eps of the norms.
	Eps float64
	// Encoder lists its stages from fine to coarse, Decoder from coarse to
	// fine. Between stages the side doubles or halves.
	Encoder, Decoder PocketStages
	// Mean and Std are the latent's statistics for each channel: the denoiser
	// works on (latent − Mean) / Std.
	Mean, Std []float32
}

// PocketStages has the channels of each stage and its number of residual blocks.
type PocketStages struct{ Channels, Blocks []int }

// ParsePocketConfig reads a PocketAutoencoder's config. where names the file in
// errors, which wrap config.ErrConfig.
func ParsePocketConfig(data []byte, where string) (PocketConfig, error) {
	f, err := config.Parse(data, where)
	if err != nil {
		return PocketConfig{}, err
	}
	if class := f.StringOr("_class_name", "PocketAutoencoder"); class != "PocketAutoencoder" {
		f.Fail("it is of a %s, not of a PocketAutoencoder", class)
	}
	c := PocketConfig{
		ImageChannels:  f.Size("in_channels"),
		ImageSize:      f.Size("image_size"),
		Patch:          f.Size("patch"),
		LatentChannels: f.Size("latent_channels"),
		Downsample:     f.Size("downsample"),
		Eps:            f.FloatOr("norm_eps", 1e-6),
	}
	c.Encoder = parseStages(f, "encoder")
	c.Decoder = parseStages(f, "decoder")
	stats := f.Object("latent_stats")
	c.Mean, c.Std = float32s(stats.Floats("mean")), float32s(stats.Floats("std"))
	if err := stats.Done(); err != nil {
		return PocketConfig{}, err
	}
	c.check(f)
	if err := f.Done(); err != nil {
		return PocketConfig{}, err
	}
	return c, nil
}

func parseStages(f *config.Fields, key string) PocketStages {
	o := f.Object(key)
	s := PocketStages{Channels: o.Sizes("channels"), Blocks: o.Sizes("blocks")}
	if err := o.Done(); err != nil {
		f.Adopt(err)
	}
	return s
}

func float32s(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

func (c PocketConfig) check(f *config.Fields) {
	const (
		mostStages   = 8
		mostChannels = 1 << 14
		mostBlocks   = 100
	)
	for _, s := range []PocketStages{c.Encoder, c.Decoder} {
		if len(s.Channels) == 0 || len(s.Channels) > mostStages || len(s.Channels) != len(s.Blocks) {
			f.Fail("stages of %v channels and %v blocks: 1 to %d stages, and as many of one as of the other", s.Channels, s.Blocks, mostStages)
			return
		}
		for i, n := range s.Channels {
			if n > mostChannels || s.Blocks[i] > mostBlocks {
				f.Fail("a stage of %d channels and %d blocks; the most is %d and %d", n, s.Blocks[i], mostChannels, mostBlocks)
			}
		}
	}
	side := func(s PocketStages) int { return c.Patch << (len(s.Channels) - 1) }
	switch {
	case c.Patch > 64 || c.ImageChannels > 64 || c.LatentChannels > mostChannels:
		f.Fail("patch %d, %d image channels, %d latent channels are out of range", c.Patch, c.ImageChannels, c.LatentChannels)
	case side(c.Encoder) != c.Downsample || side(c.Decoder) != c.Downsample:
		f.Fail("downsample is %d, but patch and stages make %d (encoder) and %d (decoder)", c.Downsample, side(c.Encoder), side(c.Decoder))
	case c.ImageSize%c.Downsample != 0 || c.ImageSize > 1<<14:
		f.Fail("image_size %d is not a multiple of downsample %d up to %d", c.ImageSize, c.Downsample, 1<<14)
	case len(c.Mean) != c.LatentChannels || len(c.Std) != c.LatentChannels:
		f.Fail("%d means and %d deviations for %d latent channels", len(c.Mean), len(c.Std), c.LatentChannels)
	case !(c.Eps > 0):
		f.Fail("norm_eps is %v; it must be above 0", c.Eps)
	}
	for i, s := range c.Std {
		if !(s > 0) {
			f.Fail("deviation %d of latent_stats is %v; it must be above 0", i, s)
			return
		}
	}
}

// Tensors lists every tensor of the autoencoder with its shape.
func (c PocketConfig) Tensors() []weights.Spec {
	var list []weights.Spec
	conv := func(name string, out, in, k int) {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: []int{out, in, k, k}},
			weights.Spec{Name: name + ".bias", Shape: []int{out}})
	}
	norm := func(name string, channels int) {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: []int{channels}})
	}
	stages := func(side string, s PocketStages) {
		for i, channels := range s.Channels {
			for j := range s.Blocks[i] {
				p := fmt.Sprintf("%s.block%d.%d.", side, i+1, j)
				norm(p+"norm1", channels)
				conv(p+"conv1", channels, channels, 3)
				norm(p+"norm2", channels)
				conv(p+"conv2", channels, channels, 3)
			}
		}
		norm(side+".norm_out", s.Channels[len(s.Channels)-1])
	}
	pixels := c.ImageChannels * c.Patch * c.Patch

	e := c.Encoder
	conv("encoder.conv_in", e.Channels[0], pixels, 3)
	stages("encoder", e)
	for i := 1; i < len(e.Channels); i++ {
		conv(fmt.Sprintf("encoder.down%d", i), e.Channels[i], 4*e.Channels[i-1], 1)
	}
	conv("encoder.conv_out", c.LatentChannels, e.Channels[len(e.Channels)-1], 3)

	d := c.Decoder
	conv("decoder.conv_in", d.Channels[0], c.LatentChannels, 3)
	stages("decoder", d)
	for i := 1; i < len(d.Channels); i++ {
		conv(fmt.Sprintf("decoder.up%d", i), 4*d.Channels[i], d.Channels[i-1], 1)
	}
	conv("decoder.conv_out", pixels, d.Channels[len(d.Channels)-1], 3)
	return list
}
