// Package nanoflux has the published sizes of NanoFLUX, which tables of coverage
// and of NPU code are computed for. There are no weights of it.
package nanoflux

import (
	"nanoflux/models/flux"
	"nanoflux/models/text"
	"nanoflux/models/vae"
)

// The parts. The encoder is T5-Large; the paper's two layers that widen its states
// are not part of it here. The rotary axes of a head of 96 were not published;
// these are the teacher's, scaled.
var (
	Denoiser = flux.Config{
		InChannels: 64, OutChannels: 64, Layers: 19, SingleLayers: 24,
		Heads: 16, HeadDim: 96, MLPRatio: 4, TextDim: 4096, PooledDim: 768,
		AxesDims: []int{12, 42, 42}, Theta: 10000,
	}
	Encoder = text.T5Config{
		Vocabulary: 32128, Width: 1024, Heads: 16, HeadDim: 64, Hidden: 4096, Layers: 24,
		Buckets: 32, MaxDistance: 128, Eps: 1e-6,
	}
	Decoder = vae.KLConfig{
		ImageChannels: 3, LatentChannels: 16, Channels: []int{128, 256, 512, 512}, Blocks: 2, Groups: 32,
		Scale: 0.3611, Shift: 0.1159,
	}
)

const (
	// TextTokens that the encoder reads.
	TextTokens = 256
	// LatentSide is the height and width of the latent of a picture of 512 × 512.
	LatentSide = 64
)
