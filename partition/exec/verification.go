package exec

import "fmt"

// Verification sums up the comparisons of segments with a reference.
type Verification struct {
	// Reference is the kind of backend that was compared with. Segments that run
	// on it are not compared.
	Reference string `json:"reference"`
	// Compared segments, and Wrong ones of these, before they moved elsewhere.
	Compared int `json:"compared"`
	Wrong    int `json:"wrong"`
	// Unknown are segments that the reference could not run.
	Unknown int `json:"unknown,omitempty"`
	// Worst is the largest difference of right floats, relative to the range of
	// the reference's output, and Tolerance what is allowed there: both are of
	// the segment that comes nearest to its tolerance. Tolerance is 0 when no
	// floats were compared.
	Worst     float64 `json:"worst"`
	Tolerance float64 `json:"tolerance"`
	// WorstSteps and Steps are the same for integers, in steps; Integers says
	// that there were any.
	WorstSteps float64 `json:"worst_steps"`
	Steps      float64 `json:"steps"`
	Integers   bool    `json:"integers"`
}

// Verification sums up what runners with this verification reported; nil when
// nothing was to be verified.
func (v *Verify) Verification(segments []SegmentReport) *Verification {
	if v == nil {
		return nil
	}
	sum := &Verification{Reference: v.Reference.Name()}
	for _, s := range segments {
		x := s.Verified
		if x == nil {
			continue
		}
		if x.Runs == 0 {
			if x.Not != "" {
				sum.Unknown++
			}
			continue
		}
		sum.Compared++
		if x.Wrong > 0 {
			sum.Wrong++
		}
		if x.Tolerance > 0 && (sum.Tolerance == 0 || x.Worst/x.Tolerance > sum.Worst/sum.Tolerance) {
			sum.Worst, sum.Tolerance = x.Worst, x.Tolerance
		}
		if x.Integers {
			sum.Integers, sum.WorstSteps, sum.Steps = true, max(sum.WorstSteps, x.WorstSteps), v.steps()
		}
	}
	return sum
}

// String is one line for people.
func (v *Verification) String() string {
	if v.Compared == 0 {
		if v.Unknown > 0 {
			return fmt.Sprintf("verified: nothing, as %s cannot run %s", v.Reference, counted(v.Unknown, "segment"))
		}
		return fmt.Sprintf("verified: nothing to compare, all segments run on %s", v.Reference)
	}
	text := fmt.Sprintf("verified with %s: %s compared, ", v.Reference, counted(v.Compared, "segment"))
	of := ""
	if v.Wrong == 0 {
		text += "all right"
	} else {
		text += fmt.Sprintf("%d WRONG", v.Wrong)
		of = " of right results"
	}
	if v.Tolerance > 0 {
		text += fmt.Sprintf("; largest error%s %.2g of the range, tolerance %.2g", of, v.Worst, v.Tolerance)
	}
	if v.Integers {
		text += fmt.Sprintf("; integers at most %g off, tolerance %g", v.WorstSteps, v.Steps)
	}
	if v.Unknown > 0 {
		text += fmt.Sprintf("; not compared: %s that %s cannot run", counted(v.Unknown, "segment"), v.Reference)
	}
	return text
}
