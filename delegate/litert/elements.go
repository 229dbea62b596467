//go:build tflite

package litert

import (
	"strings"

	"nanoflux/graph"
)

// elements are LiteRT's numbers of the element types.
var elements = map[graph.TensorType]int{
	graph.Float32: 1, graph.Int32: 2, graph.Uint8: 3, graph.Int64: 4, graph.Bool: 6, graph.Int16: 7, graph.Int8: 9,
	graph.Float16: 10, graph.Float64: 11, graph.Uint64: 13, graph.Uint32: 16, graph.Uint16: 17, graph.Int4: 18, graph.BFloat16: 19,
}

// mostSaid bounds messages in bytes.
const mostSaid = 1000

// oneLine is a message of several lines as one, its beginning and its end if it
// is long.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > mostSaid {
		text = text[:mostSaid/2] + " … " + text[len(text)-mostSaid/2:]
	}
	return text
}
