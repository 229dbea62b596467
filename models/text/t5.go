package text

import (
	"fmt"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/layers"
	"nanoflux/models/weights"
)

// T5Options are the options of BuildT5.
type T5Options struct {
	// Tokens is the fixed number of tokens of a prompt, padding included.
	Tokens int
	// Mask adds the input `mask`. FLUX has none: padding takes part.
	Mask bool
	// Storage says how weights are stored; the zero value is float32.
	Storage weights.Policy
	// Taps adds outputs for the states between the layers: hidden.0 (the
	// embedding) … hidden.n (after layer n).
	Taps bool
}

// maskedScore is added to the attention scores of padding. It is large enough
// that its exponential is 0 beside any score, and fits float16.
const maskedScore = 30000

// BuildT5 makes the graph of a T5 encoder for a fixed number of tokens, batch 1:
//
//	inputs  tokens int32   [1, Tokens]
//	        mask   float32 [1, Tokens], 1 for tokens and 0 for padding, if Mask
//	output  text   float32 [1, Tokens, Width]
//
// Each layer, as in transformers' T5Stack (v1.1 in brackets):
//
//	h += O·softmax(Q·Kᵀ + bias)·V  on n = RMSNorm(h)·w, without 1/√d
//	h += Wo·relu(Wi·n)             [Wo·(gelu(W0·n) ⊙ W1·n)]
//
// and RMSNorm(h)·w at the end. The position bias is the first layer's for all.
// A token outside of the vocabulary is an error of the run. Errors wrap
// weights.ErrWeights or config.ErrConfig.
func BuildT5(c T5Config, w weights.Source, o T5Options) (*graph.Model, error) {
	const mostTokens = 1 << 12
	if o.Tokens < 1 || o.Tokens > mostTokens {
		return nil, fmt.Errorf("%w: %d text tokens; it must be from 1 to %d", config.ErrConfig, o.Tokens, mostTokens)
	}
	if err := weights.Check("T5 encoder", w, c.Tensors(), notOfEncoder); err != nil {
		return nil, err
	}
	t := &t5{Net: layers.New("text_encoder", weights.NewReader(w), o.Storage, c.Eps), c: c, o: o}
	t.build()
	return t.Model()
}

// notOfEncoder are tensors of a whole T5 that the encoder has no use for.
// encoder.embed_tokens.weight is shared.weight again.
func notOfEncoder(name string) bool {
	return name == "encoder.embed_tokens.weight" || name == "lm_head.weight" || strings.HasPrefix(name, "decoder.")
}

func t5Layer(block, layer int) string {
	return fmt.Sprintf("encoder.block.%d.layer.%d.", block, layer)
}

type t5 struct {
	*layers.Net
	c T5Config
	o T5Options
	// bias is added to all attention scores: [1, heads, tokens, tokens].
	bias graph.T
}

func (t *t5) build() {
	b, n := t.B, t.o.Tokens
	tokens := b.Input("tokens", graph.Int32, 1, n)
	var mask graph.T
	if t.o.Mask {
		mask = b.Input("mask", graph.Float32, 1, n)
	}
	table := t.W.Get(t5Layer(0, 0)+"SelfAttention.relative_attention_bias.weight", t.c.Buckets, t.c.Heads)
	t.bias = t.K.Table("position_bias", positionBias(table, t.c, n), 1, t.c.Heads, n, n)
	if t.o.Mask {
		// (mask − 1)·30000 is 0 for tokens and −30000 for padding.
		hidden := b.Mul(b.Sub(mask, b.Scalar("one", 1)), b.Scalar("masked_score", maskedScore))
		t.bias = b.Add(t.bias, b.Reshape(hidden, 1, 1, 1, n))
	}
	embedding := t.K.Table("embedding", t.W.Get("shared.weight", t.c.Vocabulary, t.c.Width), t.c.Vocabulary, t.c.Width)
	h := b.Gather(embedding, tokens, 0)
	states := []graph.T{h}
	for i := range t.c.Layers {
		t.K.Scope(fmt.Sprintf("layer.%d", i), func() {
			h = b.Add(h, t.attention(i, t.norm("attention/norm", t5Layer(i, 0)+"layer_norm", h)))
			h = b.Add(h, t.feedForward(i, t.norm("mlp/norm", t5Layer(i, 1)+"layer_norm", h)))
		})
		states = append(states, h)
	}
	b.Output("text", t.norm("final_norm", "encoder.final_layer_norm", h))
	if t.o.Taps {
		for i, s := range states {
			b.Output(fmt.Sprintf("hidden.%d", i), s)
		}
	}
}

func (t *t5) norm(as, name string, x graph.T) graph.T {
	return t.Scaled(as, t.RMSNorm(x), t.W.Get(name+".weight", t.c.Width))
}

// attention is O·softmax(Q·Kᵀ + bias)·V of n [1, tokens, width].
func (t *t5) attention(layer int, n graph.T) graph.T {
	b, tokens, heads, dim := t.B, t.o.Tokens, t.c.Heads, t.c.HeadDim
	p, inner := t5Layer(layer, 0)+"SelfAttention.", heads*dim
	get := func(name string) []float32 { return t.W.Get(p+name+".weight", inner, t.c.Width) }
	qkv := t.Linear("attention/qkv", n, weights.Join(get("q"), get("k"), get("v")), nil, graph.ActNone)
	perHead := b.Transpose(b.Reshape(qkv, 1, tokens, 3*heads, dim), 0, 2, 1, 3)
	part := b.Split(perHead, 1, 3)
	scores := b.Add(b.BatchMatMul(part[0], part[1], false, true), t.bias)
	mixed := b.BatchMatMul(b.Softmax(scores), part[2], false, false)
	joined := b.Reshape(b.Transpose(mixed, 0, 2, 1, 3), 1, tokens, inner)
	return t.Linear("attention/out", joined, t.W.Get(p+"o.weight", t.c.Width, inner), nil, graph.ActNone)
}

// feedForward is the MLP of n [1, tokens, width].
func (t *t5) feedForward(layer int, n graph.T) graph.T {
	p := t5Layer(layer, 1) + "DenseReluDense."
	up := func(as, name string, act graph.Activation) graph.T {
		return t.Linear(as, n, t.W.Get(p+name+".weight", t.c.Hidden, t.c.Width), nil, act)
	}
	var x graph.T
	if t.c.Gated {
		x = t.B.Mul(t.B.Gelu(up("mlp/gate", "wi_0", graph.ActNone), true), up("mlp/up", "wi_1", graph.ActNone))
	} else {
		x = up("mlp/up", "wi", graph.ActRelu)
	}
	return t.Linear("mlp/down", x, t.W.Get(p+"wo.weight", t.c.Width, t.c.Hidden), nil, graph.ActNone)
}
