package flux

import "fmt"

// Modulation rows. The denoiser takes all its shifts, scales and gates as one
// input `modulation` [1, rows, width], so that they can be computed once a
// timestep, or be tables (Static-LN). Scale rows hold 1 + scale: the addition
// is done in the bias, once. The rows, in order:
//
//	double block i, image:  shift, scale, gate of attention; shift, scale, gate of the MLP
//	double block i, text:   the same six
//	single block i:         shift, scale, gate
//	final layer:            scale, shift

const (
	rowsDoubleStream = 6
	rowsSingle       = 3
	rowsFinal        = 2
)

// Rows counts the modulation rows of the model.
func (c Config) Rows() int {
	return c.Layers*2*rowsDoubleStream + c.SingleLayers*rowsSingle + rowsFinal
}

// Affine names the rows of one normalisation and of the gate of the branch
// behind it. Gate is −1 for the final layer, which has none.
type Affine struct{ Shift, Scale, Gate int }

// DoubleRows returns the rows of double block i: attention and MLP of the image
// stream, then of the text stream.
func (c Config) DoubleRows(i int) (imageAttention, imageMLP, textAttention, textMLP Affine) {
	at := i * 2 * rowsDoubleStream
	six := func(at int) (Affine, Affine) {
		return Affine{at, at + 1, at + 2}, Affine{at + 3, at + 4, at + 5}
	}
	imageAttention, imageMLP = six(at)
	textAttention, textMLP = six(at + rowsDoubleStream)
	return
}

// SingleRows returns the rows of single block i.
func (c Config) SingleRows(i int) Affine {
	at := c.Layers*2*rowsDoubleStream + i*rowsSingle
	return Affine{at, at + 1, at + 2}
}

// FinalRows returns the rows of the final layer.
func (c Config) FinalRows() Affine {
	at := c.Rows() - rowsFinal
	return Affine{Shift: at + 1, Scale: at, Gate: -1}
}

// modulationPart is one linear layer that produces consecutive rows.
type modulationPart struct {
	name string
	rows int
	// scales are the rows, from the part's first, that hold a scale.
	scales []int
}

// modulationParts lists the layers in the order of their rows.
func (c Config) modulationParts() []modulationPart {
	var parts []modulationPart
	for i := range c.Layers {
		p := fmt.Sprintf("transformer_blocks.%d.", i)
		parts = append(parts,
			modulationPart{p + "norm1.linear", rowsDoubleStream, []int{1, 4}},
			modulationPart{p + "norm1_context.linear", rowsDoubleStream, []int{1, 4}})
	}
	for i := range c.SingleLayers {
		parts = append(parts, modulationPart{fmt.Sprintf("single_transformer_blocks.%d.norm.linear", i), rowsSingle, []int{1}})
	}
	return append(parts, modulationPart{"norm_out.linear", rowsFinal, []int{0}})
}
