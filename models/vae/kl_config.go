package vae

import (
	"fmt"
	"slices"

	"nanoflux/models/config"
	"nanoflux/models/weights"
)

// KLConfig is the architecture of diffusers' AutoencoderKL as FLUX.1 uses it:
// a middle block with attention, then stages of residual blocks with
// nearest-neighbour up-sampling between them.
type KLConfig struct {
	ImageChannels, LatentChannels int
	// Channels of each stage, from fine to coarse as in the file. The latent
	// is 2^(len(Channels)−1) times smaller than the picture.
	Channels []int
	// Blocks is the residual blocks of an encoder stage; a decoder stage has
	// one more.
	Blocks int
	// Groups of channels share a norm's statistics.
	Groups int
	// Scale and Shift: the denoiser works on (latent − Shift)·Scale.
	Scale, Shift float32
}

// Downsample is how many times smaller than the picture the latent's sides are.
func (c KLConfig) Downsample() int { return 1 << (len(c.Channels) - 1) }

// klEps is the epsilon of the norms, a constant of the reference.
const klEps = 1e-6

// ParseKLConfig reads an AutoencoderKL's config.json. where names the file in
// errors, which wrap config.ErrConfig.
func ParseKLConfig(data []byte, where string) (KLConfig, error) {
	f, err := config.Parse(data, where)
	if err != nil {
		return KLConfig{}, err
	}
	if class := f.StringOr("_class_name", "AutoencoderKL"); class != "AutoencoderKL" {
		f.Fail("it is of a %s, not of an AutoencoderKL", class)
	}
	c := KLConfig{
		ImageChannels:  f.Size("out_channels"),
		LatentChannels: f.Size("latent_channels"),
		Channels:       f.Sizes("block_out_channels"),
		Blocks:         f.Size("layers_per_block"),
		Groups:         f.SizeOr("norm_num_groups", 32),
		Scale:          float32(f.FloatOr("scaling_factor", 1)),
		Shift:          float32(f.FloatOr("shift_factor", 0)),
	}
	for _, key := range []string{"use_quant_conv", "use_post_quant_conv"} {
		if f.BoolOr(key, true) {
			f.Fail("%s is true; only autoencoders without these convolutions are supported", key)
		}
	}
	if !f.BoolOr("mid_block_add_attention", true) {
		f.Fail("mid_block_add_attention is false; only autoencoders with it are supported")
	}
	if a := f.StringOr("act_fn", "silu"); a != "silu" {
		f.Fail("act_fn is %q; only \"silu\" is supported", a)
	}
	for key, kind := range map[string]string{"down_block_types": "DownEncoderBlock2D", "up_block_types": "UpDecoderBlock2D"} {
		for _, k := range f.Strings(key) {
			if k != kind {
				f.Fail("%s has a %q; only %q is supported", key, k, kind)
			}
		}
	}
	for _, key := range []string{"latents_mean", "latents_std"} {
		if f.Has(key) {
			f.Fail("%s is set; only scaling_factor and shift_factor are supported", key)
		}
	}
	f.Ignore("in_channels", "sample_size", "force_upcast", "latents_mean", "latents_std")
	c.check(f)
	if err := f.Done(); err != nil {
		return KLConfig{}, err
	}
	return c, nil
}

func (c KLConfig) check(f *config.Fields) {
	const mostStages, mostBlocks, mostChannels = 8, 100, 1 << 14
	switch {
	case len(c.Channels) == 0 || len(c.Channels) > mostStages:
		f.Fail("%d stages in block_out_channels; 1 to %d", len(c.Channels), mostStages)
	case slices.Max(c.Channels) > mostChannels || c.LatentChannels > mostChannels || c.ImageChannels > 64 || c.Blocks > mostBlocks:
		f.Fail("channels %v, latent %d, image %d, %d blocks: too large", c.Channels, c.LatentChannels, c.ImageChannels, c.Blocks)
	case !(c.Scale > 0):
		f.Fail("scaling_factor is %v; it must be above 0", c.Scale)
	}
	for _, n := range c.Channels {
		if c.Groups > 0 && n%c.Groups != 0 {
			f.Fail("%d channels are not a multiple of norm_num_groups %d", n, c.Groups)
			return
		}
	}
}

// klBlock is a residual block of the decoder.
type klBlock struct {
	name    string
	in, out int
}

// middle returns the two residual blocks round the attention.
func (c KLConfig) middle() [2]klBlock {
	n := c.Channels[len(c.Channels)-1]
	return [2]klBlock{{"decoder.mid_block.resnets.0", n, n}, {"decoder.mid_block.resnets.1", n, n}}
}

// stages returns the residual blocks of each stage, from coarse to fine.
func (c KLConfig) stages() [][]klBlock {
	in := c.Channels[len(c.Channels)-1]
	var list [][]klBlock
	for i := range c.Channels {
		out := c.Channels[len(c.Channels)-1-i]
		var blocks []klBlock
		for j := range c.Blocks + 1 {
			blocks = append(blocks, klBlock{fmt.Sprintf("decoder.up_blocks.%d.resnets.%d", i, j), in, out})
			in = out
		}
		list = append(list, blocks)
	}
	return list
}

// DecoderTensors lists every tensor of the decoder with its shape.
func (c KLConfig) DecoderTensors() []weights.Spec {
	var list []weights.Spec
	add := func(name string, shape ...int) {
		list = append(list, weights.Spec{Name: name + ".weight", Shape: shape}, weights.Spec{Name: name + ".bias", Shape: shape[:1]})
	}
	block := func(b klBlock) {
		add(b.name+".norm1", b.in)
		add(b.name+".conv1", b.out, b.in, 3, 3)
		add(b.name+".norm2", b.out)
		add(b.name+".conv2", b.out, b.out, 3, 3)
		if b.in != b.out {
			add(b.name+".conv_shortcut", b.out, b.in, 1, 1)
		}
	}
	top := c.Channels[len(c.Channels)-1]
	add("decoder.conv_in", top, c.LatentChannels, 3, 3)
	for _, b := range c.middle() {
		block(b)
	}
	add("decoder.mid_block.attentions.0.group_norm", top)
	for _, n := range []string{"to_q", "to_k", "to_v", "to_out.0"} {
		add("decoder.mid_block.attentions.0."+n, top, top)
	}
	stages := c.stages()
	for i, blocks := range stages {
		for _, b := range blocks {
			block(b)
		}
		if out := blocks[0].out; i < len(stages)-1 {
			add(fmt.Sprintf("decoder.up_blocks.%d.upsamplers.0.conv", i), out, out, 3, 3)
		}
	}
	add("decoder.conv_norm_out", c.Channels[0])
	add("decoder.conv_out", c.ImageChannels, c.Channels[0], 3, 3)
	return list
}
