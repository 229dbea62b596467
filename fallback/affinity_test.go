package fallback

import (
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

func TestTheOptionCPUs(t *testing.T) {
	phone := map[int]int{0: 250, 1: 250, 2: 250, 3: 250, 4: 700, 5: 700, 6: 700, 7: 1024}
	for _, c := range []struct {
		text string
		want []int
		err  string
	}{
		{"any", nil, ""},
		{"", nil, ""},
		{"big", []int{7, 4, 5, 6}, ""},
		{"4-7", []int{4, 5, 6, 7}, ""},
		{"0,2,2", []int{0, 2}, ""},
		{"3,6-7", []int{3, 6, 7}, ""},
		{"8", nil, `cpus is "8", and this device has no CPU 8; there are 0, 1, 2, 3, 4, 5, 6, 7`},
		{"fast", nil, `cpus is "fast"; takes any, big, or a list of CPUs like 4-7 or 0,2`},
		{"7-4", nil, "takes any"},
		{"-1", nil, "takes any"},
		{"0-99999999999", nil, "takes any"},
		{"1,", nil, "takes any"},
	} {
		got, err := chosenCPUs(c.text, phone)
		if c.err == "" && (err != nil || !slices.Equal(got, c.want)) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: %v, %v; want %v, %q", c.text, got, err, c.want, c.err)
		}
	}
}

func TestRunsOnChosenCPUsAreTheSame(t *testing.T) {
	r := seeded(t)
	x, w := random(r, graph.Float32, 300, 64), random(r, graph.Float32, 96, 64)
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T {
		return b.Logistic(b.FullyConnected(in[0], in[1], graph.None, graph.ActNone))
	}), func(i int) bool { return i == 1 }, x, w)
	want := ran(t, compiledWith(t, m, Options{Threads: 2}), 1, x)[0]
	cpus := cpuCapacities()
	if len(cpus) == 0 {
		t.Fatal("no CPUs")
	}
	b, err := delegate.Open("fallback", map[string]any{"cpus": "big"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	for range 3 {
		sameBytes(t, "on big CPUs", ran(t, e, 1, x)[0], want)
	}
	if got := cpuCapacities(); len(got) != len(cpus) {
		t.Errorf("%d CPUs after the runs, %d before: a thread was left pinned", len(got), len(cpus))
	}
}
