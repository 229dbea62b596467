// Package flux turns the weights of a FLUX-style transformer into graphs: the
// denoiser, and the modulation that the denoiser takes as an input. The sizes
// all come from the configuration, so that FLUX.1, its compressed students and
// the pocket model are one architecture here.
//
// It knows the reference implementations' names and formulas (diffusers'
// FluxTransformer2DModel; the original checkpoint's layout in bfl.go), and
// nothing of samplers, text encoders or who runs the graphs.
package flux

import (
	"slices"

	"nanoflux/models/config"
)

// Config is the architecture of one transformer.
type Config struct {
	// InChannels and OutChannels are the channels of a packed latent token.
	InChannels, OutChannels int
	// Layers counts the double-stream blocks, SingleLayers the single-stream
	// ones after them.
	Layers, SingleLayers int
	// Heads × HeadDim is the width d of the residual stream.
	Heads, HeadDim int
	// MLPRatio × d is the width of the feed-forward layers.
	MLPRatio int
	// TextDim is the width of the text encoder's states.
	TextDim int
	// PooledDim is the width of the pooled text vector (CLIP's in FLUX.1).
	PooledDim int
	// Guidance is true for guidance-distilled models, which take the guidance
	// scale as an input.
	Guidance bool
	// AxesDims splits HeadDim among the position axes (0, row, column).
	AxesDims []int
	// Theta is the base of the rotary frequencies.
	Theta float64
}

// Width is the width d of the residual stream.
func (c Config) Width() int { return c.Heads * c.HeadDim }

const (
	// TimeChannels is the number of sinusoids of a timestep; the reference
	// has it as a constant.
	TimeChannels = 256
	// normEps is the epsilon of every LayerNorm and RMSNorm in the reference.
	normEps = 1e-6
	// positionAxes: tokens have positions (0, row, column).
	positionAxes = 3
)

// ParseConfig reads the config.json of diffusers' FluxTransformer2DModel, or
// the parameters of the original implementation (hidden_size, depth, …), which
// it tells apart by their keys. where names the file in errors, which wrap
// config.ErrConfig.
func ParseConfig(data []byte, where string) (Config, error) {
	f, err := config.Parse(data, where)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if f.Has("hidden_size") {
		c = originalConfig(f)
	} else {
		c = diffusersConfig(f)
	}
	if err := f.Done(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func diffusersConfig(f *config.Fields) Config {
	if class := f.StringOr("_class_name", "FluxTransformer2DModel"); class != "FluxTransformer2DModel" {
		f.Fail("it is of a %s, not of a FluxTransformer2DModel", class)
	}
	c := Config{
		InChannels:   f.Size("in_channels"),
		Layers:       f.Count("num_layers"),
		SingleLayers: f.Count("num_single_layers"),
		Heads:        f.Size("num_attention_heads"),
		HeadDim:      f.Size("attention_head_dim"),
		MLPRatio:     4, // a constant of the reference
		TextDim:      f.Size("joint_attention_dim"),
		PooledDim:    f.Size("pooled_projection_dim"),
		Guidance:     f.BoolOr("guidance_embeds", false),
		AxesDims:     f.Sizes("axes_dims_rope"),
		Theta:        10000, // likewise
	}
	c.OutChannels = f.SizeOr("out_channels", c.InChannels)
	// Tokens come packed: a patch size other than 1 would only divide the
	// output's channels in another way, and no FLUX has one.
	if p := f.SizeOr("patch_size", 1); p != 1 {
		f.Fail("patch_size is %d; only 1 (packed tokens) is supported", p)
	}
	c.check(f)
	return c
}

func originalConfig(f *config.Fields) Config {
	c := Config{
		InChannels:   f.Size("in_channels"),
		Layers:       f.Count("depth"),
		SingleLayers: f.Count("depth_single_blocks"),
		Heads:        f.Size("num_heads"),
		TextDim:      f.Size("context_in_dim"),
		PooledDim:    f.Size("vec_in_dim"),
		Guidance:     f.BoolOr("guidance_embed", false),
		AxesDims:     f.Sizes("axes_dim"),
		Theta:        f.FloatOr("theta", 10000),
		MLPRatio:     f.SizeOr("mlp_ratio", 4),
	}
	c.OutChannels = f.SizeOr("out_channels", c.InChannels)
	d := f.Size("hidden_size")
	if c.Heads > 0 && d%c.Heads != 0 {
		f.Fail("hidden_size %d is not a multiple of num_heads %d", d, c.Heads)
	} else if c.Heads > 0 {
		c.HeadDim = d / c.Heads
	}
	if !f.BoolOr("qkv_bias", true) {
		f.Fail("qkv_bias is false; only models with these biases are supported")
	}
	c.check(f)
	return c
}

// check refuses what the architecture cannot be, so that the builders need not.
func (c Config) check(f *config.Fields) {
	const (
		mostBlocks = 1000
		mostWidth  = 1 << 16
	)
	sum := 0
	for _, a := range c.AxesDims {
		sum += a
	}
	switch {
	case c.Layers > mostBlocks || c.SingleLayers > mostBlocks:
		f.Fail("%d and %d blocks; the most is %d", c.Layers, c.SingleLayers, mostBlocks)
	case c.Width() > mostWidth:
		f.Fail("width %d × %d heads; the most is %d", c.HeadDim, c.Heads, mostWidth)
	case c.MLPRatio > 64:
		f.Fail("feed-forward layers %d times as wide as the stream; the most is 64", c.MLPRatio)
	case len(c.AxesDims) != positionAxes:
		f.Fail("%d rotary axes; images need %d (0, row, column)", len(c.AxesDims), positionAxes)
	case sum != c.HeadDim:
		f.Fail("rotary axes %v do not add up to the head dimension %d", c.AxesDims, c.HeadDim)
	case slices.ContainsFunc(c.AxesDims, func(a int) bool { return a%2 != 0 }):
		f.Fail("rotary axes %v must be even: channels rotate in pairs", c.AxesDims)
	case !(c.Theta > 1):
		f.Fail("theta is %v; it must be above 1", c.Theta)
	}
}
