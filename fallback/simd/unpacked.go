package simd

// Runs says where the elements of rows lie: row i is Count runs of Length
// elements that follow one another, run j from i·Step + j·Apart on. The window
// of a convolution is such a row, with a run for each line of the image; a
// matrix has one run a row.
type Runs struct{ Count, Length, Step, Apart int }

// Depth is the number of elements of a row.
func (r Runs) Depth() int { return r.Count * r.Length }
