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
	weights, err := n.integerWeights(1, 1, c.columns(), c.in)
	if err != nil {
		return nil, err
	}
	k := weights[0].kernels
	flip, shift := leftFlip(k, false)
	size := n.out[0].elements()
	if err := n.work(size+c.columns()+c.out+64, 4); err != nil {
		return nil, err
	}
	t := &transposedSums{
		transposed: c, node: n, zero: affineOf(x).zero + shift, weights: weights[0],
		products: make([]int32, c.pixels()*c.columns()), sums: make([]int32, size+16),
		result: requantizedRows{kernels: k, q: r.plan(c.out), stride: c.out},
	}
	t.product = integerProduct{pool: n.pool, rows: c.pixels(), left: matrixLeft(c.pixels(), c.in), flip: flip, w: weights[0], store: t}
	t.finish = t.finishPixels
	return t.compute, nil
}

// transposedSums computes a product for every input pixel, adds the sums where
// the convolution that it transposes would have read, and requantizes those.
type transposedSums struct {
	*transposed
	node     *node
	zero     int32
	weights  *integerWeights
	product  integerProduct
	products []int32
	// sums are those of the output, with room behind for the kernels to read.
	sums   []int32
	result requantizedRows
	finish func(from, to int)
}

func (t *transposedSums) compute() {
	n := t.node
	if !n.in[1].constant {
		n.packIntegers([]*integerWeights{t.weights}, 1)
	}
	bias := t.result.q.Bias()[:t.out]
	if clear(bias); n.has(3) {
		copy(bias, biasOf(n, 3))
	}
	t.product.left.data = n.in[2].data
	t.product.run()
	t.product.left.data = nil
	clear(t.sums)
	scatter(t.transposed, n.pool, t.sums, t.products)
	t.result.out = n.out[0].data
	n.pool.chunks(len(t.result.out)/t.out, 1+(1<<14)/t.out, t.finish)
	t.result.out = nil
}

// store keeps a tile of products.
func (t *transposedSums) store(row, column, rows, columns int, sums []int32, stride int) {
	for i := range rows {
		to := t.products[(row+i)*t.columns()+column:][:columns]
		for j, v := range sums[i*stride:][:columns] {
			to[j] = v + t.weights.columnTerm(column+j, t.zero)
		}
	}
}

func (t *transposedSums) finishPixels(from, to int) {
	t.result.store(from, 0, to-from, t.out, t.sums[from*t.out:], t.out)
}
