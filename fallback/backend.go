// Package fallback is the backend in pure Go: it runs what no accelerator
// takes, on every platform, and is the reference that others are compared with.
//
// A model is compiled to a list of steps, one an operator. Kernels stand in one
// file an operator family; each is registered under its operator's code and
// says itself which types and options it takes (see kernel.go).
package fallback

import (
	"context"
	"fmt"
	"runtime"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

func init() {
	delegate.Register(delegate.Kind{
		Name:    "fallback",
		Summary: "the Go kernels of this program, on the CPU",
		Options: []delegate.Option{
			{Name: "threads", Default: 0, Max: maxThreads, Help: "goroutines that compute at once; 0 for one a CPU"},
			{Name: "cpus", Default: anyCPU, Help: "the CPUs that compute: any, big (the fast ones of a phone), or a list like 4-7; Linux and Android only. threads is one each then, unless it says less"},
			{Name: "cache", Default: "auto", OneOf: []string{"auto", "off"}, Aside: true, Help: "packed weights of large models are kept in files of the user's cache; off to pack them at each start"},
			{Name: "fusion", Default: true, Help: "several operators are computed together where that is faster; false to look for a mistake"},
		},
		Open: func(options map[string]any) (delegate.Backend, error) {
			cpus, err := chosenCPUs(options["cpus"].(string), cpuCapacities())
			if err != nil {
				return nil, err
			}
			o := Options{Threads: options["threads"].(int), CPUs: cpus, NoFusion: !options["fusion"].(bool)}
			if options["cache"] == "auto" {
				o.Cache = packFolder()
			}
			return New(o), nil
		},
	})
}

// maxThreads bounds the option; more would only cost memory.
const maxThreads = 1024

// Options of the backend.
type Options struct {
	// Threads that compute at once; 0 for one a CPU. The result does not
	// depend on it.
	Threads int
	// CPUs that threads run on, the fastest first; nil for any. The first are
	// taken where there are more than threads.
	CPUs []int
	// NoFusion runs operators one by one.
	NoFusion bool
	// Cache is a folder for the packed weights of large models; empty for none.
	Cache string

	// widened is for tests: weights of up to so many elements become float32;
	// 0 for widenedWeights.
	widened int
	// cachedModel is for tests, too: the least bytes of stored weights for which
	// Cache is used; 0 for the constant of that name.
	cachedModel int
}

// New makes the backend.
func New(o Options) delegate.Backend {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
		if n := len(o.CPUs); n > 0 {
			o.Threads = n
		}
	}
	return &backend{o}
}

type backend struct{ o Options }

func (b *backend) Name() string { return "fallback" }

func (b *backend) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{
		Description: fmt.Sprintf("Go kernels (%s), %s/%s, %d threads", simd.Active().Name, runtime.GOOS, runtime.GOARCH, b.o.Threads),
		Version:     runtime.Version(),
		Features:    []string{"simd=" + simd.Active().Name},
	}, nil
}

func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	_, refusal := find(operands{m, sub, &m.Subgraphs[sub].Ops[op]})
	return refusal
}

func (b *backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	e, err := compile(ctx, segment, b.o)
	if err != nil {
		return nil, fmt.Errorf("fallback: %w", err)
	}
	return e, nil
}
