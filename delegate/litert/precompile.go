//go:build tflite

package litert

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/graph"
)

// Precompile implements delegate.Precompiler, with the compiler plugin of the
// chip's maker.
func (b *backend) Precompile(ctx context.Context, segment *graph.Model) (*delegate.Precompiled, error) {
	target := b.options.Target
	if target.Manufacturer == "" {
		return nil, fmt.Errorf("litert: nothing says for which NPU to compile: set options soc_manufacturer and soc")
	}
	code, report, err := compiler.Compile(ctx, segment, target, compiler.Options{Package: b.options.Package, Flags: b.options.Flags})
	if err != nil && !errors.Is(err, compiler.ErrNothing) {
		return nil, fmt.Errorf("litert: %w", err)
	}
	p := &delegate.Precompiled{Code: code, Library: "LiteRT " + b.options.Package.Version(), Operators: report.Operators, Partitions: report.Partitions}
	for _, left := range report.Left {
		p.Left = append(p.Left, delegate.LeftOperator{Op: left.Op, Reason: left.Reason})
	}
	return p, nil
}
