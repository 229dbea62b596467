package fallback

import (
	"fmt"

	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorTRANSPOSE, kernel{accepts: withIndices(2, 1), prepare: prepareTranspose})
	register(schema.BuiltinOperatorDEPTH_TO_SPACE, kernel{accepts: acceptsMove(1, 1, 1), prepare: func(n *node) (compute, error) {
		return prepareDepthToSpace(n, int(options[schema.DepthToSpaceOptionsT](n.op).BlockSize))
	}})
	register(schema.BuiltinOperatorSPACE_TO_DEPTH, kernel{accepts: acceptsMove(1, 1, 1), prepare: func(n *node) (compute, error) {
		return prepareSpaceToDepth(n, int(options[schema.SpaceToDepthOptionsT](n.op).BlockSize))
	}})
}

func prepareTranspose(n *node) (compute, error) {
	order, err := n.ints(1)
	if err != nil {
		return nil, err
	}
	x := n.in[0].shape
	if len(order) != len(x) {
		return nil, fmt.Errorf("permutation %v does not go with shape %v", order, x)
	}
	strides := dense(x)
	seen := make([]bool, len(x))
	shape, from := make([]int, len(x)), make([]int, len(x))
	for i, a := range order {
		axis, ok := axisOf(a, len(x))
		if !ok || seen[axis] {
			return nil, fmt.Errorf("%v is not a permutation of %d dimensions", order, len(x))
		}
		seen[axis] = true
		shape[i], from[i] = x[axis], strides[axis]
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	return prepareMove(n, move{shape: shape, to: dense(shape), from: from})
}

// prepareDepthToSpace moves channel (dy·block + dx)·C + c of a pixel to channel
// c of pixel (dy, dx) of a block×block square.
func prepareDepthToSpace(n *node, block int) (compute, error) {
	x := n.in[0].shape
	if len(x) != 4 || block < 1 || x[3]%(block*block) != 0 {
		return nil, fmt.Errorf("input %v cannot be spread into blocks of %d×%d", x, block, block)
	}
	channels := x[3] / (block * block)
	if err := n.shape(0, x[0], x[1]*block, x[2]*block, channels); err != nil {
		return nil, err
	}
	// Both arrays seen as [batch, height, dy, width, dx, channel].
	shape := []int{x[0], x[1], block, x[2], block, channels}
	s := dense(x)
	from := []int{s[0], s[1], block * channels, s[2], channels, 1}
	return prepareMove(n, move{shape: shape, to: dense(shape), from: from})
}

// prepareSpaceToDepth is the inverse of prepareDepthToSpace.
func prepareSpaceToDepth(n *node, block int) (compute, error) {
	x := n.in[0].shape
	if len(x) != 4 || block < 1 || x[1]%block != 0 || x[2]%block != 0 {
		return nil, fmt.Errorf("input %v cannot be cut into blocks of %d×%d", x, block, block)
	}
	if err := n.shape(0, x[0], x[1]/block, x[2]/block, x[3]*block*block); err != nil {
		return nil, err
	}
	// Both arrays seen as [batch, height', width', dy, dx, channel].
	shape := []int{x[0], x[1] / block, x[2] / block, block, block, x[3]}
	s := dense(x)
	from := []int{s[0], s[1] * block, s[2] * block, s[1], s[2], 1}
	return prepareMove(n, move{shape: shape, to: dense(shape), from: from})
}
