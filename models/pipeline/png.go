package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// newImage turns a picture [height, width, 3] with values in −1…1 into 8-bit
// sRGB: byte = round((y + 1)·127.5), clamped.
func newImage(values []float32, height, width int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		for c := range 3 {
			y := math.RoundToEven(float64((values[3*i+c] + 1) * 127.5))
			img.Pix[4*i+c] = uint8(min(max(y, 0), 255))
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

// Text is one entry of a PNG's metadata.
type Text struct {
	// Keyword is 1 to 79 Latin-1 letters; "parameters" is the one where
	// Stable Diffusion programs keep the prompt and the settings.
	Keyword string
	Value   string
}

// pngHeaderSize is the signature (8 bytes) and the IHDR chunk (25 bytes) with
// which every PNG starts; text goes after them.
const pngHeaderSize = 33

// EncodePNG writes img as a PNG with text entries. The bytes depend only on
// its arguments: there is no time stamp.
func EncodePNG(w io.Writer, img image.Image, texts ...Text) error {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return fmt.Errorf("encode PNG: %w", err)
	}
	var chunks []byte
	for _, t := range texts {
		chunk, err := textChunk(t)
		if err != nil {
			return fmt.Errorf("encode PNG: %w", err)
		}
		chunks = append(chunks, chunk...)
	}
	for _, part := range [][]byte{b.Bytes()[:pngHeaderSize], chunks, b.Bytes()[pngHeaderSize:]} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write PNG: %w", err)
		}
	}
	return nil
}

// textChunk is a tEXt chunk when the value is Latin-1, as most programs read
// only that, and an iTXt chunk (UTF-8) otherwise. A zero byte would end the
// text, so it is dropped.
func textChunk(t Text) ([]byte, error) {
	if t.Keyword == "" || len(t.Keyword) > 79 || strings.ContainsFunc(t.Keyword, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("text keyword %q: takes 1 to 79 printable ASCII letters", t.Keyword)
	}
	value := strings.ReplaceAll(strings.ToValidUTF8(t.Value, string(utf8.RuneError)), "\x00", "")
	body := append([]byte(t.Keyword), 0)
	latin := make([]byte, 0, len(value))
	for _, r := range value {
		if r > 0xff || r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			// iTXt: not compressed, no language, no translated keyword.
			return chunk("iTXt", append(append(body, 0, 0, 0, 0), value...)), nil
		}
		latin = append(latin, byte(r))
	}
	return chunk("tEXt", append(body, latin...)), nil
}

// chunk frames a PNG chunk: length, kind, body, CRC of kind and body.
func chunk(kind string, body []byte) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	c = append(append(c, kind...), body...)
	return binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
}
