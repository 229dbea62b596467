package fallback

import (
	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

// quantOperands says which inputs of a node a quantized product is of.
type quantOperands struct {
	// left and bias are inputs; input 1 has the weights [groups·columns, depth].
	left, bias             int
	groups, columns, depth int
	requantizer            *requantizer
}

// quantProduct is a quantized matrix product or convolution of a node: the product
// of its integers, and output integers made of the sums while they are in the
// cache.
type quantProduct struct {
	quantOperands
	n       *node
	weights []*integerWeights
	// products and results have one for each group.
	products []integerProduct
	results  []requantizedRows
	// padding is where the windows of a convolution lie, nil for a matrix; next is
	// how many bytes one group is from another.
	padding *padding
	next    int
	// zero is the left side's zero point, zeroByte as its bytes have it.
	zero     int32
	zeroByte [1]byte
	// bound: nothing that the biases are made of can change any more.
	bound bool
}

func newQuantProduct(n *node, o quantOperands) (*quantProduct, error) {
	p := &quantProduct{quantOperands: o, n: n}
	var err error
	if p.weights, err = n.integerWeights(1, o.groups, o.columns, o.depth); err != nil {
		return nil, err
	}
	if err := n.work(o.groups*o.columns+16, 32); err != nil {
		return nil, err
	}
	x := n.in[o.left].tensor
	q := o.requantizer.plan(o.groups * o.columns)
	k := p.weights[0].kernels
	flip, shift := leftFlip(k, isUnsigned(x))
	p.zero = affineOf(x).zero + shift
	p.zeroByte[0] = byte(affineOf(x).zero)
	p.products, p.results = make([]integerProduct, o.groups), make([]requantizedRows, o.groups)
	for g := range p.products {
		p.results[g] = requantizedRows{kernels: k, q: q, from: g * o.columns, stride: o.groups * o.columns}
		p.products[g] = integerProduct{pool: n.pool, flip: flip, w: p.weights[g], store: &p.results[g]}
	}
	return p, nil
}

// rows sets the left-hand side; next is how many bytes one group is from another.
func (p *quantProduct) rows(rows int, left integerLeft, next int) {
	p.next = next
	for g := range p.products {
		p.products[g].rows, p.products[g].left = rows, left
	}
}

// bind packs weights and sets biases, where that was not done for good.
func (p *quantProduct) bind() {
	if p.bound {
		return
	}
	n := p.n
	constant := n.in[1].constant
	if !constant {
		n.packIntegers(p.weights, 1)
	}
	bias := biasOf(n, p.bias)
	for g, w := range p.weights {
		to := p.results[g].q.Bias()[g*p.columns:]
		for j := range w.columns {
			to[j] = w.columnTerm(j, p.zero)
			if bias != nil {
				to[j] += bias[g*p.columns+j]
			}
		}
	}
	p.bound = constant && (bias == nil || n.in[p.bias].constant)
}

// compute fills the node's output.
func (p *quantProduct) compute() {
	p.bind()
	x, y := p.n.in[p.left].data, p.n.out[0].data
	if p.padding != nil {
		x = p.padding.of(x, p.zeroByte[:])
	}
	for g := range p.products {
		p.products[g].left.data = x[g*p.next:]
		p.results[g].out = y[g*p.columns:]
		p.products[g].run()
		p.products[g].left.data, p.results[g].out = nil, nil
	}
}

// requantizedRows stores sums as rows of output integers.
type requantizedRows struct {
	kernels *simd.Integer
	q       *simd.Requantizer
	from    int // its first column
	out     []byte
	stride  int
}

func (r *requantizedRows) store(row, column, rows, columns int, sums []int32, stride int) {
	r.kernels.Requantize(r.out[row*r.stride+column:], r.stride, sums, stride, rows, columns, r.q, r.from+column)
}

func isUnsigned(t *graph.Tensor) bool { return t.Type == graph.Uint8 }
