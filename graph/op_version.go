package graph

// OpVersion is the lowest version of op's operator that covers its operands
// and options, for an operator that a rewrite puts into g. Its inputs and
// outputs must be tensors of g, or NoTensor.
func (g *Subgraph) OpVersion(op *Op) int { return opVersion(op.Code, g.operands(op)) }
