package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	// Only uint8 may differ in scale; for int8, TensorFlow Lite wants equal
	// ones, which only moves bytes.
	register(schema.BuiltinOperatorCONCATENATION, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if a := options[schema.ConcatenationOptionsT](o.op).FusedActivationFunction; a != graph.ActNone {
				return delegate.Refuse(delegate.ReasonOption, "fused activation %v", a)
			}
			if r := firstRefusal(o.counts(max(1, len(o.op.Inputs)), len(o.op.Inputs), 1), o.outTypes(0, graph.Uint8), isAffine("the output", o.out(0), 0)); r != nil {
				return r
			}
			for i := range o.op.Inputs {
				if r := firstRefusal(o.types(i, graph.Uint8), isAffine("an input", o.in(i), 0)); r != nil {
					return r
				}
			}
			return nil
		},
		prepare: prepareScaledConcat,
	})
}

// prepareScaledConcat concatenates, and then brings each input's part of the
// output to the output's scale.
func prepareScaledConcat(n *node) (compute, error) {
	axis := int(options[schema.ConcatenationOptionsT](n.op).Axis)
	join, err := prepareConcat(n, axis, false)
	if err != nil {
		return nil, err
	}
	axis, _ = axisOf(axis, len(n.out[0].shape))
	out := affineOf(n.out[0].tensor)
	inner := sizeOf(n.out[0].shape[axis:])
	tables := make([][256]byte, len(n.in))
	for i, v := range n.in {
		in := affineOf(v.tensor)
		ratio := float32(in.scale * (1 / out.scale))
		bias := float32(float32(-in.zero) * ratio)
		for x := range tables[i] {
			y := int32(x)
			if in != out {
				y = saturatingAdd(roundAway(float32(float32(x)*ratio)+bias), out.zero)
			}
			tables[i][x] = byte(clampInteger(y, 0, 255))
		}
	}
	return func() {
		join()
		data := integersOf[uint8](n.out[0])
		for len(data) > 0 && inner > 0 {
			line := data[:inner]
			data = data[inner:]
			for i, v := range n.in {
				part := line[:sizeOf(v.shape[axis:])]
				line = line[len(part):]
				for k, x := range part {
					part[k] = tables[i][x]
				}
			}
		}
	}, nil
}
