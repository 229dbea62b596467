package text

import "math"

// relativeBucket is the bucket of the position bias for a key that stands
// distance tokens after the query (before it when negative), bidirectional.
// Half of the buckets are for keys after the query. Of each half, the first
// half stands for one distance each, the rest grows with the logarithm up to
// maxDistance, and all beyond share the last one (T5's
// _relative_position_bucket; the logarithms are float32 there, so here).
func relativeBucket(distance, buckets, maxDistance int) int {
	half := buckets / 2
	base := 0
	if distance > 0 {
		base = half
	} else {
		distance = -distance
	}
	exact := half / 2
	if distance < exact {
		return base + distance
	}
	ratio := float32(math.Log(float64(float32(distance) / float32(exact))))
	whole := float32(math.Log(float64(maxDistance) / float64(exact)))
	step := int(float32(ratio/whole) * float32(half-exact))
	return base + min(exact+step, half-1)
}

// positionBias spreads the table [buckets, heads] of the first layer over all
// pairs of tokens: [heads, tokens, tokens], query before key.
func positionBias(table []float32, c T5Config, tokens int) []float32 {
	// A pair's bucket depends on its distance only.
	bucket := make([]int, 2*tokens-1)
	for i := range bucket {
		bucket[i] = relativeBucket(i-(tokens-1), c.Buckets, c.MaxDistance)
	}
	out := make([]float32, 0, c.Heads*tokens*tokens)
	for h := range c.Heads {
		for q := range tokens {
			for k := range tokens {
				out = append(out, table[bucket[k-q+tokens-1]*c.Heads+h])
			}
		}
	}
	return out
}
