package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestBytesAreRoundedAndClamped(t *testing.T) {
	for _, c := range []struct {
		y    float32
		want uint8
	}{
		{-1, 0}, {1, 255}, {0, 128}, {-2, 0}, {7, 255}, {-0.9965, 0}, {-0.9945, 1},
		{float32(math.Inf(1)), 255}, {float32(math.Inf(-1)), 0}, {0.5, 191},
	} {
		img := newImage([]float32{c.y, -1, 1}, 1, 1)
		if img.Pix[0] != c.want || img.Pix[1] != 0 || img.Pix[2] != 255 || img.Pix[3] != 255 {
			t.Errorf("value %v: pixel %v, want the first to be %d", c.y, img.Pix, c.want)
		}
	}
}

// chunksOf reads a PNG's chunks and checks their sums.
func chunksOf(t *testing.T, data []byte) (kinds []string, bodies [][]byte) {
	t.Helper()
	for p := 8; p < len(data); {
		n := int(binary.BigEndian.Uint32(data[p:]))
		body := data[p+8 : p+8+n]
		if crc32.ChecksumIEEE(data[p+4:p+8+n]) != binary.BigEndian.Uint32(data[p+8+n:]) {
			t.Fatalf("chunk at %d has a wrong sum", p)
		}
		kinds, bodies = append(kinds, string(data[p+4:p+8])), append(bodies, body)
		p += 12 + n
	}
	return kinds, bodies
}

func TestTextsAreKeptInThePNG(t *testing.T) {
	img := newImage([]float32{-1, 0, 1, 1, 0, -1}, 1, 2)
	for name, c := range map[string]struct{ value, kind, body string }{
		"ASCII":                  {"a red apple\nSteps: 10", "tEXt", "parameters\x00a red apple\nSteps: 10"},
		"Latin-1":                {"café", "tEXt", "parameters\x00caf\xe9"},
		"other scripts":          {"苹果", "iTXt", "parameters\x00\x00\x00\x00\x00苹果"},
		"zero bytes":             {"a\x00b", "tEXt", "parameters\x00ab"},
		"bytes that aren't text": {"a\xffb", "iTXt", "parameters\x00\x00\x00\x00\x00a\uFFFDb"},
		"terminal escapes":       {"\x1b[1m", "iTXt", "parameters\x00\x00\x00\x00\x00\x1b[1m"},
		"nothing":                {"", "tEXt", "parameters\x00"},
	} {
		var b bytes.Buffer
		if err := EncodePNG(&b, img, Text{"parameters", c.value}, Text{"Software", "nanoflux"}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kinds, bodies := chunksOf(t, b.Bytes())
		if got := strings.Join(kinds, " "); got != "IHDR "+c.kind+" tEXt IDAT IEND" {
			t.Errorf("%s: chunks %s", name, got)
		} else if string(bodies[1]) != c.body {
			t.Errorf("%s: text %q, want %q", name, bodies[1], c.body)
		}
		back, err := png.Decode(&b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r, g, bl, _ := back.At(1, 0).RGBA(); r>>8 != 255 || g>>8 != 128 || bl>>8 != 0 {
			t.Errorf("%s: the picture did not come back", name)
		}
	}
}

type failingWriter struct{}

var errWriter = errors.New("no space")

func (failingWriter) Write([]byte) (int, error) { return 0, errWriter }

func TestPNGErrorsComeBack(t *testing.T) {
	img := newImage([]float32{0, 0, 0}, 1, 1)
	if err := EncodePNG(failingWriter{}, img); !errors.Is(err, errWriter) {
		t.Errorf("error %v, want the writer's", err)
	}
	for _, keyword := range []string{"", "a\nb", strings.Repeat("k", 80)} {
		if err := EncodePNG(&bytes.Buffer{}, img, Text{keyword, "v"}); err == nil {
			t.Errorf("keyword %q was taken", keyword)
		}
	}
}
