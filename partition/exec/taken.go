package exec

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/partition"
)

// Taken is what a delegate made of a segment when it was asked.
type Taken struct {
	// Operators and MACs are what the device runs. Operators with only constant
	// inputs count neither here nor in Left: they are computed once, when the
	// segment is made ready.
	Operators int   `json:"operators"`
	MACs      int64 `json:"macs"`
	// Partitions is in how many pieces.
	Partitions int `json:"partitions"`
	// Left are the operators that run on the CPU beside it, and LeftMACs theirs.
	Left     []Left `json:"left"`
	LeftMACs int64  `json:"left_macs"`
}

// Left is an operator that a delegate left to the CPU.
type Left struct {
	// Op is its index in the source subgraph, Name its type.
	Op   int    `json:"op"`
	Name string `json:"name"`
	// Refusal says why, as far as it is known.
	Refusal delegate.Refusal `json:"refusal"`
}

// leftByDevice is all that a delegate tells of what it leaves.
const leftByDevice = "the delegate left it when it was asked"

// takenOf puts what a delegate answered in terms of the source subgraph.
func (r *Runner) takenOf(seg *segment, t delegate.Taken) *Taken {
	constant := r.constants(seg.Ops)
	x := &Taken{Operators: len(seg.Ops) - count(constant), MACs: seg.MACs, Partitions: t.Partitions, Left: []Left{}}
	for _, i := range t.Left {
		if i < 0 || i >= len(seg.Ops) || constant[seg.Ops[i]] {
			continue
		}
		op := seg.Ops[i]
		x.Left = append(x.Left, Left{
			Op: op, Name: r.graph.Ops[op].Name(),
			Refusal: *delegate.Refuse(delegate.ReasonDevice, leftByDevice),
		})
		macs := partition.MACs(r.model, r.plan.Subgraph, op)
		x.LeftMACs = added(x.LeftMACs, macs)
		x.MACs = max(0, x.MACs-macs)
	}
	x.Operators -= len(x.Left)
	return x
}

// count is how many operators are in a set.
func count(set map[int]bool) (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

// added is a sum that stops at the largest number.
func added(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Share is how much of a plan runs on one backend.
type Share struct {
	Backend  string `json:"backend"`
	Kind     string `json:"kind"`
	Segments int    `json:"segments"`
	// Operators and MACs are what runs there in each run. What its delegate left
	// to the CPU is not in them, but in Left and LeftMACs. Operators with only
	// constant inputs count nowhere, so that no operator counts twice.
	Operators int    `json:"operators"`
	MACs      int64  `json:"macs"`
	Left      []Left `json:"left,omitempty"`
	LeftMACs  int64  `json:"left_macs,omitempty"`
}

// Shares sums up what runs where, in the order of the backends' first segments.
func Shares(segments []SegmentReport) []Share {
	list := []Share{}
	at := map[string]int{}
	for _, s := range segments {
		i, known := at[s.Backend]
		if !known {
			i = len(list)
			at[s.Backend] = i
			list = append(list, Share{Backend: s.Backend, Kind: s.Kind})
		}
		share := &list[i]
		share.Segments++
		if s.Taken == nil {
			share.Operators += len(s.Ops) - s.Constant
			share.MACs = added(share.MACs, s.MACs)
			continue
		}
		share.Operators += s.Taken.Operators
		share.MACs = added(share.MACs, s.Taken.MACs)
		share.Left = append(share.Left, s.Taken.Left...)
		share.LeftMACs = added(share.LeftMACs, s.Taken.LeftMACs)
	}
	return list
}

// String is the share for people: "npu: 41 of 43 operators in 1 segment (97 % of
// the MACs), 2 left to the CPU: ADD, SOFTMAX".
func (s Share) String() string {
	in := " in " + counted(s.Segments, "segment")
	if len(s.Left) == 0 {
		return s.Backend + ": " + counted(s.Operators, "operator") + in
	}
	text := fmt.Sprintf("%s: %d of %s%s", s.Backend, s.Operators, counted(s.Operators+len(s.Left), "operator"), in)
	if all := added(s.MACs, s.LeftMACs); all > 0 {
		text += fmt.Sprintf(" (%d %% of the MACs)", int(float64(s.MACs)/float64(all)*100))
	}
	return text + fmt.Sprintf(", %d left to the CPU: %s", len(s.Left), names(s.Left))
}

// names are operator types, each once, the most frequent first: "2 × SOFTMAX, ADD".
func names(left []Left) string {
	count := map[string]int{}
	var order []string
	for _, l := range left {
		if count[l.Name] == 0 {
			order = append(order, l.Name)
		}
		count[l.Name]++
	}
	slices.SortStableFunc(order, func(a, b string) int { return count[b] - count[a] })
	const most = 5
	more := len(order) > most
	if more {
		order = order[:most]
	}
	for i, name := range order {
		if n := count[name]; n > 1 {
			order[i] = fmt.Sprintf("%d × %s", n, name)
		}
	}
	if more {
		order = append(order, "…")
	}
	return strings.Join(order, ", ")
}
