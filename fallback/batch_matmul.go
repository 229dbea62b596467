package fallback

import (
	"fmt"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorBATCH_MATMUL, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 2, 1), floatOperands(o))
		},
		prepare: prepareBatchMatMul,
	})
}

// prepareBatchMatMul computes x·y over the last two dimensions; the ones before
// are broadcast. adj_x and adj_y transpose the last two dimensions.
func prepareBatchMatMul(n *node) (compute, error) {
	o := options[schema.BatchMatMulOptionsT](n.op)
	x, y := n.in[0].shape, n.in[1].shape
	if len(x) < 2 || len(y) < 2 {
		return nil, fmt.Errorf("operands %v and %v must have at least 2 dimensions", x, y)
	}
	rows, depth := x[len(x)-2], x[len(x)-1]
	rowStride, depthStrideX := depth, 1
	if o.AdjX {
		rows, depth = depth, rows
		rowStride, depthStrideX = 1, rows
	}
	depthY, columns := y[len(y)-2], y[len(y)-1]
	columnStride, depthStride := 1, columns
	if o.AdjY {
		depthY, columns = columns, depthY
		columnStride, depthStride = depthY, 1
	}
	if depth != depthY {
		return nil, fmt.Errorf("operands %v and %v (transposed: %v, %v) do not go together", x, y, o.AdjX, o.AdjY)
	}
	batch, err := broadcastShapes(x[:len(x)-2], y[:len(y)-2])
	if err != nil {
		return nil, err
	}
	if err := n.shape(0, append(append([]int(nil), batch...), rows, columns)...); err != nil {
		return nil, err
	}
	count, err := graph.Elements(batch)
	if err != nil {
		return nil, err
	}
	sides, err := graph.Elements(y[:len(y)-2])
	if err != nil {
		return nil, err
	}
	if err := n.workPacked(sides, columns, depth); err != nil {
		return nil, err
	}
	// Where each batch's matrices lie, in matrices.
	xs := walk{batch, broadcastStrides(x[:len(x)-2], batch)}.merged()
	ys := walk{batch, broadcastStrides(y[:len(y)-2], batch)}.merged()
	if sides == 1 && !o.AdjX && count == sizeOf(x[:len(x)-2]) {
		// One right-hand side for all: the batches are more rows of one product.
		rows *= count
		count = 1
	}
	// Where there are several batches, they are what is split.
	inner, packing := &pool{threads: 1}, &pool{threads: 1}
	if count == 1 {
		inner = n.pool
	}
	if sides == 1 {
		packing = n.pool
	}
	if err := n.work(count, int(unsafe.Sizeof(product{}))); err != nil {
		return nil, err
	}
	weights := make([]*packed, sides)
	for i := range weights {
		weights[i] = &packed{table: simd.Active()}
	}
	products := make([]product, count)
	for i := range products {
		products[i] = product{pool: inner, rows: rows, w: weights[ys.offset(i)], left: leftRows{stride: rowStride, step: depthStrideX}, stride: columns}
	}
	var a, y32, out []float32
	isPacked := false
	packSide := func(i int) {
		packColumns(weights[i], packing, y32[i*depth*columns:], columns, depth, columnStride, depthStride)
	}
	multiply := func(i int) {
		m := &products[i]
		m.left.data, m.out = a[xs.offset(i)*rows*depth:], out[i*rows*columns:]
		m.run()
	}
	return func() {
		a, y32, out = n.in[0].floats(), n.in[1].floats(), n.out[0].floats()
		inner.done, packing.done = n.pool.done, n.pool.done
		if !isPacked || !n.in[1].constant {
			n.pool.each(sides, packSide)
			isPacked = !n.pool.stopped()
		}
		n.pool.each(count, multiply)
	}, nil
}
