package pipeline

import "fmt"

// grid describes how a latent is cut into tokens: Rows × Columns tokens, each a
// Patch × Patch square of Channels channels.
type grid struct {
	Rows, Columns, Channels, Patch int
}

// tokens is how many tokens the grid has.
func (g grid) tokens() int { return g.Rows * g.Columns }

// tokenChannels is the width of one token.
func (g grid) tokenChannels() int { return g.Channels * g.Patch * g.Patch }

// unpack turns tokens [rows·columns, channels·patch²] into a latent
// [rows·patch, columns·patch, channels]. Channel k of token (r, c) is channel
// k / patch² of the pixel (r·patch + dy, c·patch + dx), with
// dy = k / patch mod patch and dx = k mod patch; so does FluxPipeline, up to
// its latent being channels first.
func (g grid) unpack(latent, tokens []float32) {
	g.each(func(token, pixel int) { latent[pixel] = tokens[token] })
}

// pack is the inverse of unpack.
func (g grid) pack(tokens, latent []float32) {
	g.each(func(token, pixel int) { tokens[token] = latent[pixel] })
}

// each visits every value by its index in the tokens and in the latent.
func (g grid) each(visit func(token, pixel int)) {
	p := g.Patch
	i := 0
	for r := range g.Rows {
		for c := range g.Columns {
			for ch := range g.Channels {
				for dy := range p {
					for dx := range p {
						visit(i, ((r*p+dy)*g.Columns*p+c*p+dx)*g.Channels+ch)
						i++
					}
				}
			}
		}
	}
}

// statistics take a latent from the sampler's scale to the autoencoder's:
// z = x·Scale[c] + Offset[c] for channel c.
type statistics struct {
	Scale, Offset []float32
}

// newStatistics takes a latent's mean and standard deviation by channel. One
// value serves all channels; none means 0 and 1.
func newStatistics(mean, std []float32, channels int) (statistics, error) {
	s := statistics{Scale: make([]float32, channels), Offset: make([]float32, channels)}
	for c := range channels {
		s.Scale[c] = 1
	}
	for _, part := range []struct {
		name string
		from []float32
		to   []float32
	}{{"std", std, s.Scale}, {"mean", mean, s.Offset}} {
		switch len(part.from) {
		case 0:
		case 1:
			for c := range part.to {
				part.to[c] = part.from[0]
			}
		case channels:
			copy(part.to, part.from)
		default:
			return statistics{}, fmt.Errorf("latent %s has %d values for %d channels", part.name, len(part.from), channels)
		}
	}
	return s, nil
}

// apply scales a latent [..., channels] in place.
func (s statistics) apply(latent []float32) {
	n := len(s.Scale)
	for i := range latent {
		latent[i] = float32(latent[i]*s.Scale[i%n]) + s.Offset[i%n]
	}
}
