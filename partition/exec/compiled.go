package exec

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// compile makes a segment ready on a backend, from code that was made ahead of
// time where there is some. Code that is not used is a notice.
func (r *Runner) compile(ctx context.Context, name string, b delegate.Backend, x *graph.Model) (delegate.Executable, error) {
	if r.options.Compiled == nil {
		return b.Compile(ctx, x)
	}
	code, warning, err := r.options.Compiled(ctx, name, x)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		r.notice(warning)
	}
	if code == nil {
		return b.Compile(ctx, x)
	}
	e, err := b.Compile(ctx, delegate.WithCompiled(x, b.Name(), code))
	if err == nil || ctx.Err() != nil || errors.Is(err, delegate.ErrLost) {
		return e, err
	}
	r.notice(fmt.Sprintf("%s: what was compiled for %s is not used, and compiled anew: %v", x.Name, name, err))
	return b.Compile(ctx, x)
}
