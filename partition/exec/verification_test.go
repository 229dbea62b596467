package exec

import (
	"testing"

	"nanoflux/fallback"
	"nanoflux/graph"
)

func TestAVerificationIsOneLine(t *testing.T) {
	v := &Verify{Reference: fallback.New(fallback.Options{})}
	right := func(worst, tolerance float64) SegmentReport {
		return SegmentReport{Verified: &Verified{Runs: 2, Worst: worst, Tolerance: tolerance}}
	}
	wrong := SegmentReport{Verified: &Verified{Runs: 1, Wrong: 1}}
	unknown := SegmentReport{Verified: &Verified{Not: "no such operator"}}
	integers := SegmentReport{Verified: &Verified{Runs: 1, WorstSteps: 1, Integers: true}}
	for _, test := range []struct {
		name     string
		segments []SegmentReport
		want     string
	}{
		{"none ran elsewhere", []SegmentReport{{}}, "verified: nothing to compare, all segments run on fallback"},
		{"none could be compared", []SegmentReport{unknown}, "verified: nothing, as fallback cannot run 1 segment"},
		{"all are right", []SegmentReport{right(1e-6, 1e-3), {}, right(0.02, 0.05)}, "verified with fallback: 2 segments compared, all right; largest error 0.02 of the range, tolerance 0.05"},
		{"one is exact", []SegmentReport{right(0, 1e-3)}, "verified with fallback: 1 segment compared, all right; largest error 0 of the range, tolerance 0.001"},
		{"integers", []SegmentReport{integers}, "verified with fallback: 1 segment compared, all right; integers at most 1 off, tolerance 1"},
		{"one is wrong", []SegmentReport{wrong, right(1e-6, 1e-3)}, "verified with fallback: 2 segments compared, 1 WRONG; largest error of right results 1e-06 of the range, tolerance 0.001"},
		{"all are wrong", []SegmentReport{wrong}, "verified with fallback: 1 segment compared, 1 WRONG"},
		{"one could not be compared", []SegmentReport{right(1e-6, 1e-3), unknown}, "verified with fallback: 1 segment compared, all right; largest error 1e-06 of the range, tolerance 0.001; not compared: 1 segment that fallback cannot run"},
	} {
		if got := v.Verification(test.segments).String(); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
	if (*Verify)(nil).Verification(nil) != nil {
		t.Error("nothing was to be verified")
	}
}

// A step of an 8-bit value is a large part of a small range, and no error.
func TestStepsOfIntegersAreNoErrorsOfFloats(t *testing.T) {
	var v Verified
	v.add(graph.Int8, Difference{MaxAbs: 1, Relative: 0.5}, 1e-3)
	if v.Worst != 0 || v.Tolerance != 0 || v.WorstSteps != 1 || !v.Integers {
		t.Errorf("%+v", v)
	}
	v.add(graph.Float32, Difference{MaxAbs: 7, Relative: 1e-4}, 1e-3)
	if v.Worst != 1e-4 || v.Tolerance != 1e-3 || v.WorstSteps != 1 {
		t.Errorf("%+v", v)
	}
}
