package fallback

import (
	"math"

	"nanoflux/fallback/simd"
)

// attention computes softmax(scale·Q·Kᵀ + bias)·V, without the matrix of scores:
// it takes as many queries as a tile has columns, computes their scores with
// all keys, key by key, and from these the mixed values, both transposed.
// Transposed, the scores of a panel are already in the layout that the second
// product reads, and softmax runs down the columns, without sums across a
// register.
type attention struct {
	pool  *pool
	table *simd.Table
	// batches are heads and images; dim is the size of a query and a key,
	// valueDim of a value.
	batches, queries, keys, dim, valueDim int
	scale                                 float32
	q, k, v, out                          matrixView
	bias                                  *matrixView // nil for none

	// left-hand sides of both products, for each batch: keys as
	// [key tile][dim][rows of a tile], values as [dim tile][key][rows of a tile].
	packedKeys, packedValues []float32
	zeros                    []float32
	pack, panel              func(i int)
}

// matrixView is a value as matrices: element (row, column) of matrix b lies at
// at + batch.offset(b) + row·rowStride + column·columnStride.
type matrixView struct {
	value                   *value
	data                    []float32
	at                      int
	batch                   walk
	rowStride, columnStride int
}

// from is matrix b from a row on.
func (m *matrixView) from(b, row int) []float32 {
	return m.data[m.at+m.batch.offset(b)+row*m.rowStride:]
}

func (a *attention) keyTiles() int   { return (a.keys + a.table.Rows - 1) / a.table.Rows }
func (a *attention) valueTiles() int { return (a.valueDim + a.table.Rows - 1) / a.table.Rows }
func (a *attention) panels() int     { return (a.queries + a.table.Columns - 1) / a.table.Columns }

// run computes all batches.
func (a *attention) run() {
	if a.packedKeys == nil {
		a.packedKeys = make([]float32, a.batches*a.keyTiles()*a.table.Rows*a.dim)
		a.packedValues = make([]float32, a.batches*a.valueTiles()*a.table.Rows*a.keys)
		a.zeros = make([]float32, a.table.Columns)
		a.pack, a.panel = a.packBatch, a.computePanel
	}
	for _, m := range [...]*matrixView{&a.q, &a.k, &a.v, &a.out, a.bias} {
		if m != nil {
			m.data = m.value.floats()
		}
	}
	each := a.pool.each
	if a.batches*a.queries*a.keys*(a.dim+a.valueDim) <= littleWork {
		each = a.pool.inline
	}
	each(a.batches, a.pack)
	each(a.batches*a.panels(), a.panel)
}

// packBatch packs keys and values of one batch.
func (a *attention) packBatch(b int) {
	rows := a.table.Rows
	keys := a.packedKeys[b*a.keyTiles()*rows*a.dim:]
	for t := range a.keyTiles() {
		packPanel(keys[t*rows*a.dim:][:rows*a.dim], a.k.from(b, t*rows), rows, min(rows, a.keys-t*rows), a.dim, a.k.rowStride, a.k.columnStride)
	}
	values := a.packedValues[b*a.valueTiles()*rows*a.keys:]
	for t := range a.valueTiles() {
		from := a.v.from(b, 0)[t*rows*a.v.columnStride:]
		packPanel(values[t*rows*a.keys:][:rows*a.keys], from, rows, min(rows, a.valueDim-t*rows), a.keys, a.v.columnStride, a.v.rowStride)
	}
}

// computePanel computes one panel of queries of one batch.
func (a *attention) computePanel(i int) {
	rows, columns := a.table.Rows, a.table.Columns
	b, first := i/a.panels(), i%a.panels()*columns
	count := min(columns, a.queries-first)
	keyTiles, valueTiles := a.keyTiles(), a.valueTiles()
	scratch := takeScratch(columns * (a.dim + keyTiles*rows + valueTiles*rows + 2))
	defer scratch.give()
	query, rest := scratch.data[:a.dim*columns], scratch.data[a.dim*columns:]
	scores, rest := rest[:keyTiles*rows*columns], rest[keyTiles*rows*columns:]
	mixed, rest := rest[:valueTiles*rows*columns], rest[valueTiles*rows*columns:]
	tops, sums := rest[:columns], rest[columns:]

	packPanel(query, a.q.from(b, first), columns, count, a.dim, a.q.rowStride, a.q.columnStride)
	keys := a.packedKeys[b*keyTiles*rows*a.dim:]
	for t := range keyTiles {
		a.table.MultiplyFrom(rows, columns, a.dim, keys[t*rows*a.dim:][:rows*a.dim], query, scores[t*rows*columns:], columns, a.zeros)
	}
	scores = scores[:a.keys*columns]
	scale := a.scale
	if a.bias != nil {
		a.addBias(scores, b, first, count)
		scale = 1
	}
	for j := range tops {
		tops[j] = -infinity
	}
	vectors.LargestOfColumns(scores, tops)
	clear(sums)
	vectors.ExpSumOfColumns(scores, scores, tops, sums, scale)
	values := a.packedValues[b*valueTiles*rows*a.keys:]
	for t := range valueTiles {
		a.table.MultiplyFrom(rows, columns, a.keys, values[t*rows*a.keys:][:rows*a.keys], scores, mixed[t*rows*columns:], columns, a.zeros)
	}
	for j := range count {
		out := a.out.from(b, first+j)
		inverse := 1 / sums[j]
		at := j
		for d := range a.valueDim {
			out[d*a.out.columnStride] = mixed[at] * inverse
			at += columns
		}
	}
}

// addBias makes scale·s + bias of a panel's scores.
func (a *attention) addBias(scores []float32, b, first, count int) {
	for j := range count {
		bias := a.bias.from(b, first+j)
		at := j
		for k := range a.keys {
			scores[at] = float32(a.scale*scores[at]) + bias[k*a.bias.columnStride]
			at += a.table.Columns
		}
	}
}

// finite reports whether x is a number that a fused scale can be.
func finite(x float32) bool { return x > 0 && !math.IsInf(float64(x), 0) }
