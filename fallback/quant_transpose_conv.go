package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorTRANSPOSE_CONV, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := firstRefusal(o.counts(3, 4, 1), o.types(0, graph.Int32), o.types(2, graph.Int8)); r != nil {
				return r
			}
			if r := quantizedProduct(o, 2, 1, 3, lengthOf(o.in(1), 0), 0); r != nil {
				return r
			}
			return firstRefusal(symmetric("the weights", o.in(1)), integerFusable(options[schema.TransposeConvOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareQuantTransposeConv,
	})
}

func prepareQuantTransposeConv(n *node) (compute, error) {
	c, err := transposedShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[2].tensor, n.in[1].tensor, n.out[0].tensor
	r := newRequantizer(x, w, y, options[schema.TransposeConvOptionsT](n.op).FusedActivationFunction, c.out/8*8)
	return func() {
		r.bias = biasOf(n, 3)
		out := integersOf[int8](n.out[0])
		products, sums := takeIntegers(c.pixels()*c.columns()), takeIntegers(len(out))
		defer products.give()
		defer sums.give()
		p := integerProduct[int8]{
			pool: n.pool, rows: c.pixels(), columns: c.columns(), depth: c.in,
			row:    integerRows(integersOf[int8](n.in[2]), c.in, affineOf(x).zero),
			w:      integersOf[int8](n.in[1]),
			finish: func(row, column int, values []int32) { copy(products.data[row*c.columns()+column:], values) },
		}
		p.run()
		clear(sums.data)
		scatter(c, n.pool, sums.data, products.data)
		n.pool.chunks(len(out)/max(1, c.out), 1+(1<<12)/max(1, c.out), func(from, to int) {
			for i := from; i < to; i++ {
				write(r, out[i*c.out:], 0, sums.data[i*c.out:(i+1)*c.out])
			}
		})
	}, nil
}
