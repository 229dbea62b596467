package fallback

import (
	"fmt"

	"nanoflux/delegate"
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
	var weights []*packed
	inner := &pool{threads: 1} // the batches are what is split
	isPacked := false
	pack := func(b []float32) {
		if isPacked && n.in[1].constant {
			return
		}
		if weights == nil {
			weights = make([]*packed, sides)
		}
		each(n.pool, inner, len(weights), func(i int, p *pool) {
			weights[i] = packColumns(weights[i], p, b[i*depth*columns:], columns, depth, columnStride, depthStride)
		})
		isPacked = !n.pool.stopped()
	}
	return func() {
		a, out := n.in[0].floats(), n.out[0].floats()
		pack(n.in[1].floats())
		each(n.pool, inner, count, func(i int, p *pool) {
			left := leftRows{data: a[xs.offset(i)*rows*depth:], stride: rowStride, step: depthStrideX}
			m := product{pool: p, rows: rows, left: left, w: weights[ys.offset(i)], out: out[i*rows*columns:], stride: columns}
			m.run()
		})
	}, nil
}

// each calls body(i, inner) for i in [0, n) at once; a single one gets the outer
// pool to split its own work.
func each(outer, inner *pool, n int, body func(i int, p *pool)) {
	if n == 1 {
		body(0, outer)
		return
	}
	outer.each(n, func(i int) { body(i, inner) })
}
