package text

import (
	"nanoflux/models/config"
	"nanoflux/models/weights"
)

// T5Config is the architecture of a T5 encoder, v1.0 or v1.1.
type T5Config struct {
	Vocabulary int
	// Width is the size of a token's state.
	Width int
	// Heads × HeadDim is the width of the attention; it need not be Width.
	Heads, HeadDim int
	// Hidden is the width of the feed-forward layers.
	Hidden int
	Layers int
	// Buckets and MaxDistance define the relative position bias.
	Buckets, MaxDistance int
	// Gated is true for v1.1's feed-forward layers, Wo(gelu(W0·x) ⊙ W1·x), and
	// false for v1.0's, Wo·relu(Wi·x).
	Gated bool
	// Eps of the norms.
	Eps float64
}

// ParseT5Config reads the config.json of transformers' T5EncoderModel (or of a
// whole T5, of which the encoder is taken). where names the file in errors,
// which wrap config.ErrConfig.
func ParseT5Config(data []byte, where string) (T5Config, error) {
	f, err := config.Parse(data, where)
	if err != nil {
		return T5Config{}, err
	}
	if kind := f.StringOr("model_type", "t5"); kind != "t5" {
		f.Fail("it is of a %q model, not of a \"t5\"", kind)
	}
	c := T5Config{
		Vocabulary:  f.Size("vocab_size"),
		Width:       f.Size("d_model"),
		HeadDim:     f.Size("d_kv"),
		Hidden:      f.Size("d_ff"),
		Layers:      f.Size("num_layers"),
		Heads:       f.Size("num_heads"),
		Buckets:     f.SizeOr("relative_attention_num_buckets", 32),
		MaxDistance: f.SizeOr("relative_attention_max_distance", 128),
		Eps:         f.FloatOr("layer_norm_epsilon", 1e-6),
	}
	switch kind := f.StringOr("feed_forward_proj", "relu"); kind {
	case "relu":
	case "gated-gelu": // in transformers this name means the tanh form
		c.Gated = true
	default:
		f.Fail("feed_forward_proj is %q; \"relu\" and \"gated-gelu\" are supported", kind)
	}
	// Written by the library beside feed_forward_proj; they must say the same.
	activation := map[bool]string{false: "relu", true: "gelu_new"}[c.Gated]
	if a := f.StringOr("dense_act_fn", activation); a != activation || f.BoolOr("is_gated_act", c.Gated) != c.Gated {
		f.Fail("dense_act_fn %q and is_gated_act do not fit feed_forward_proj", a)
	}
	f.Ignore("architectures", "torch_dtype", "dtype", "transformers_version", // notes
		"dropout_rate", "classifier_dropout", "initializer_factor", "n_positions", // of training
		"num_decoder_layers", "decoder_start_token_id", "is_encoder_decoder", "use_cache", "output_past", "tie_word_embeddings", // of the decoder
		"pad_token_id", "eos_token_id", "task_specific_params") // of the tokenizer and the tasks
	c.check(f)
	if err := f.Done(); err != nil {
		return T5Config{}, err
	}
	return c, nil
}

func (c T5Config) check(f *config.Fields) {
	const mostWidth = 1 << 16
	switch {
	case c.Layers > 1000:
		f.Fail("%d layers; the most is 1000", c.Layers)
	case c.Width > mostWidth || c.Hidden > mostWidth*4 || c.Heads*c.HeadDim > mostWidth:
		f.Fail("d_model %d, d_ff %d, %d heads × %d: too wide", c.Width, c.Hidden, c.Heads, c.HeadDim)
	case c.Buckets < 4 || c.Buckets%4 != 0 || c.Buckets > 1<<12:
		f.Fail("%d relative attention buckets; it must be a multiple of 4 up to 4096", c.Buckets)
	case c.MaxDistance <= c.Buckets/4:
		f.Fail("relative_attention_max_distance %d must be above a quarter of the %d buckets", c.MaxDistance, c.Buckets)
	case !(c.Eps > 0):
		f.Fail("layer_norm_epsilon is %v; it must be above 0", c.Eps)
	}
}

// Tensors lists every tensor of the encoder with its shape.
func (c T5Config) Tensors() []weights.Spec {
	inner := c.Heads * c.HeadDim
	list := []weights.Spec{
		{Name: "shared.weight", Shape: []int{c.Vocabulary, c.Width}},
		{Name: t5Layer(0, 0) + "SelfAttention.relative_attention_bias.weight", Shape: []int{c.Buckets, c.Heads}},
		{Name: "encoder.final_layer_norm.weight", Shape: []int{c.Width}},
	}
	add := func(name string, shape ...int) { list = append(list, weights.Spec{Name: name, Shape: shape}) }
	for i := range c.Layers {
		p := t5Layer(i, 0)
		add(p+"layer_norm.weight", c.Width)
		for _, n := range []string{"q", "k", "v"} {
			add(p+"SelfAttention."+n+".weight", inner, c.Width)
		}
		add(p+"SelfAttention.o.weight", c.Width, inner)
		p = t5Layer(i, 1)
		add(p+"layer_norm.weight", c.Width)
		if c.Gated {
			add(p+"DenseReluDense.wi_0.weight", c.Hidden, c.Width)
			add(p+"DenseReluDense.wi_1.weight", c.Hidden, c.Width)
		} else {
			add(p+"DenseReluDense.wi.weight", c.Hidden, c.Width)
		}
		add(p+"DenseReluDense.wo.weight", c.Width, c.Hidden)
	}
	return list
}
