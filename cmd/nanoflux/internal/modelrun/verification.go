package modelrun

import (
	"fmt"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/partition/exec"
)

// Verification sums up the comparison of each segment with a reference.
type Verification struct {
	// Reference is the kind of backend that was compared with. Segments that run
	// on it are not compared.
	Reference string `json:"reference"`
	// Compared segments, and Wrong ones of these, before they moved elsewhere.
	Compared int `json:"compared"`
	Wrong    int `json:"wrong"`
	// Worst is the largest difference of a right result, relative to its range.
	Worst float64 `json:"worst"`
}

// verification is nil when nothing was to be verified.
func verification(v *exec.Verify, segments []exec.SegmentReport) *Verification {
	if v == nil {
		return nil
	}
	sum := &Verification{Reference: v.Reference.Name()}
	for _, s := range segments {
		if s.Verified == nil || s.Verified.Runs == 0 {
			continue
		}
		sum.Compared++
		if s.Verified.Wrong > 0 {
			sum.Wrong++
		}
		sum.Worst = max(sum.Worst, s.Verified.Worst)
	}
	return sum
}

func (v *Verification) String() string {
	if v.Compared == 0 {
		return fmt.Sprintf("verified: nothing to compare, all segments run on %s", v.Reference)
	}
	return fmt.Sprintf("verified with %s: %s, %d wrong, the others within %.2g of the range", v.Reference, facts.Count(v.Compared, "segment"), v.Wrong, v.Worst)
}
