package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// Write writes tensors in the given order, with optional metadata. The header is
// padded with spaces so that the data begins at a multiple of 8.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	type line struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	header := map[string]any{} // written with sorted keys
	if metadata != nil {
		header["__metadata__"] = metadata
	}
	at := 0
	for _, t := range tensors {
		if _, twice := header[t.Name]; twice || t.Name == "__metadata__" {
			return fmt.Errorf("writing safetensors: the name %q is taken", t.Name)
		}
		if !utf8.ValidString(t.Name) {
			return fmt.Errorf("writing safetensors: the name %q is not UTF-8", t.Name)
		}
		if bitsOf(t.DType) == 0 {
			return fmt.Errorf("writing safetensors: tensor %q: unknown dtype %q", t.Name, t.DType)
		}
		if n, ok := bytesOf(t.DType, t.Shape); !ok || n != len(t.Data) {
			return fmt.Errorf("writing safetensors: tensor %q: %s %v does not take %d bytes", t.Name, t.DType, t.Shape, len(t.Data))
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		header[t.Name] = line{t.DType, shape, [2]int{at, at + len(t.Data)}}
		at += len(t.Data)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("writing safetensors: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
		return fmt.Errorf("writing safetensors: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("writing safetensors: %w", err)
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("writing safetensors: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}
