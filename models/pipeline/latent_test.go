package pipeline

import (
	"slices"
	"testing"
)

func TestUnpackPutsTokenChannelsWhereTheyBelong(t *testing.T) {
	g := grid{Rows: 2, Columns: 3, Channels: 5, Patch: 2}
	n := g.tokens() * g.tokenChannels()
	if n != 2*3*5*4 {
		t.Fatalf("%d values", n)
	}
	tokens, latent, back := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range tokens {
		tokens[i] = float32(i)
	}
	g.unpack(latent, tokens)
	// latent[ch, 2r+dy, 2c+dx] is channel ch·4 + dy·2 + dx of token (r, c).
	for y := range 4 {
		for x := range 6 {
			for ch := range 5 {
				token, channel := y/2*3+x/2, ch*4+y%2*2+x%2
				if got, want := latent[(y*6+x)*5+ch], float32(token*20+channel); got != want {
					t.Errorf("latent (%d, %d) channel %d is %v, want %v", y, x, ch, got, want)
				}
			}
		}
	}
	g.pack(back, latent)
	if !slices.Equal(back, tokens) {
		t.Error("pack does not undo unpack")
	}
}

func TestStatisticsScaleEachChannel(t *testing.T) {
	for name, c := range map[string]struct {
		mean, std []float32
		want      []float32 // of 1, 2, 3, 4 as two pixels of two channels; nil: an error
	}{
		"none":                {nil, nil, []float32{1, 2, 3, 4}},
		"by channel":          {[]float32{10, 20}, []float32{2, 3}, []float32{12, 26, 16, 32}},
		"one for all":         {[]float32{1}, []float32{2}, []float32{3, 5, 7, 9}},
		"too many":            {[]float32{1, 2, 3}, []float32{1, 1}, nil},
		"too many deviations": {nil, []float32{1, 2, 3}, nil},
	} {
		s, err := newStatistics(c.mean, c.std, 2)
		if c.want == nil {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		x := []float32{1, 2, 3, 4}
		s.apply(x)
		if !slices.Equal(x, c.want) {
			t.Errorf("%s: %v, want %v", name, x, c.want)
		}
	}
}
