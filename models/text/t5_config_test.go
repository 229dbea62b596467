package text

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"nanoflux/models/config"
)

func TestT5ConfigurationsThatCannotBeAreErrors(t *testing.T) {
	original, err := os.ReadFile("../data/goldens/text/t5-v1_1/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := ParseT5Config(original, "config.json"); err != nil || !c.Gated || c.Width != 32 || c.Layers != 2 {
		t.Fatalf("config %+v, %v", c, err)
	}
	with := func(key string, value any) []byte {
		var m map[string]any
		if err := json.Unmarshal(original, &m); err != nil {
			t.Fatal(err)
		}
		if value == nil {
			delete(m, key)
		} else {
			m[key] = value
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name string
		json []byte
		want string
	}{
		{"another family", with("model_type", "bert"), `"bert" model`},
		{"a missing key", with("d_ff", nil), `"d_ff" is missing`},
		{"an unknown key", with("rotary", true), `unknown key "rotary"`},
		{"another activation", with("feed_forward_proj", "gated-silu"), `"gated-silu"; "relu" and "gated-gelu"`},
		{"keys that contradict each other", with("dense_act_fn", "relu"), "do not fit feed_forward_proj"},
		{"buckets that cannot be quartered", with("relative_attention_num_buckets", 30), "multiple of 4"},
		{"a largest distance within the exact buckets", with("relative_attention_max_distance", 8), "must be above a quarter"},
		{"a norm without epsilon", with("layer_norm_epsilon", 0), "layer_norm_epsilon is 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseT5Config(c.json, "config.json")
			if !errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestRelativeBucketsGrowWithDistanceAndFillTheirRange(t *testing.T) {
	for _, c := range []struct{ buckets, most int }{{32, 128}, {32, 20}, {8, 16}, {64, 1000}} {
		half := c.buckets / 2
		for sign, base := range map[int]int{-1: 0, 1: half} {
			last := base
			if sign > 0 {
				last = base + 1 // distance 0 is not "after"
			}
			for n := 1; n < 3*c.most; n++ {
				b := relativeBucket(sign*n, c.buckets, c.most)
				if b < last || b >= base+half || (n < half/2 && b != base+n) || (n >= c.most && b != base+half-1) {
					t.Fatalf("%d buckets up to %d: distance %d is in bucket %d after %d", c.buckets, c.most, sign*n, b, last)
				}
				last = b
			}
		}
		if relativeBucket(0, c.buckets, c.most) != 0 {
			t.Errorf("%d buckets: distance 0 is not in bucket 0", c.buckets)
		}
	}
}
