package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

type goldenSigmas struct {
	Sigmas    []float64 `json:"sigmas"`
	Timesteps []float64 `json:"timesteps"`
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// compareSigmas: the reference computes in float32 from the first operation on;
// one and a half units in the last place of a float32 near 1 is what that costs.
func compareSigmas(t *testing.T, name string, s Schedule, steps, tokens int, want goldenSigmas) {
	t.Helper()
	got, err := s.Sigmas(steps, tokens)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if len(got) != len(want.Sigmas) || len(got) != len(want.Timesteps)+1 {
		t.Errorf("%s: %d sigmas, want %d", name, len(got), len(want.Sigmas))
		return
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - want.Sigmas[i]); d > 2e-7 {
			t.Errorf("%s: sigma %d is %v, want %v", name, i, got[i], want.Sigmas[i])
		}
		if i < len(want.Timesteps) {
			if d := math.Abs(1000*float64(got[i]) - want.Timesteps[i]); d > 2e-4 {
				t.Errorf("%s: timestep %d is %v, want %v", name, i, 1000*got[i], want.Timesteps[i])
			}
		}
	}
}

func TestSigmasAreTheReferenceSchedulers(t *testing.T) {
	var table map[string]goldenSigmas
	readJSON(t, "../data/goldens/schedule/sigmas.json", &table)
	var extra struct {
		Mu                       map[string]float64
		Default, Dynamic, Linear map[string]goldenSigmas
	}
	readJSON(t, "../data/goldens/schedule/extra.json", &extra)
	if len(table) < 35 || len(extra.Default) < 14 || len(extra.Dynamic) < 14 || len(extra.Linear) < 10 {
		t.Fatal("the golden tables are not whole")
	}
	scan := func(name, format string, into ...any) {
		if _, err := fmt.Sscanf(name, format, into...); err != nil {
			t.Fatalf("golden name %q: %v", name, err)
		}
	}
	var steps, tokens, shift int
	for name, want := range table {
		if strings.HasPrefix(name, "dynamic/") {
			scan(name, "dynamic/%dtokens/%d", &tokens, &steps)
			compareSigmas(t, name, Schedule{Dynamic: true, Shift: 3}, steps, tokens, want)
		} else {
			scan(name, "shift%d/%d", &shift, &steps)
			compareSigmas(t, name, Schedule{Shift: float64(shift)}, steps, 64, want)
		}
	}
	for name, want := range extra.Mu {
		scan(name, "%d", &tokens)
		for _, s := range []Schedule{{}, {BaseTokens: 256, MaxTokens: 4096, BaseShift: 0.5, MaxShift: 1.15}} {
			if got := s.Mu(tokens); math.Abs(got-want) > 1e-12 {
				t.Errorf("mu of %d tokens is %v, want %v", tokens, got, want)
			}
		}
	}
	for name, want := range extra.Default {
		scan(name, "shift%d/%d", &shift, &steps)
		compareSigmas(t, "default/"+name, Schedule{Shift: float64(shift), Spacing: SpacingRange}, steps, 64, want)
	}
	for name, want := range extra.Dynamic {
		scan(name, "%dtokens/%d", &tokens, &steps)
		compareSigmas(t, "dynamic/"+name, Schedule{Dynamic: true}, steps, tokens, want)
	}
	for name, want := range extra.Linear {
		scan(name, "%dtokens/%d", &tokens, &steps)
		compareSigmas(t, "linear/"+name, Schedule{Dynamic: true, TimeShift: TimeShiftLinear}, steps, tokens, want)
	}
}

func TestSigmasFallFromOneToZero(t *testing.T) {
	for _, s := range []Schedule{{}, {Shift: 3}, {Shift: 0.3}, {Dynamic: true}, {Dynamic: true, TimeShift: TimeShiftLinear}, {Spacing: SpacingRange}} {
		for _, steps := range []int{1, 2, 3, 10, 50, MaxSteps} {
			got, err := s.Sigmas(steps, 64)
			if s.Dynamic { // 64 tokens lie below the line's first point, which is fine
				got, err = s.Sigmas(steps, 300)
			}
			if err != nil {
				t.Fatalf("%+v, %d steps: %v", s, steps, err)
			}
			if got[0] != 1 || got[steps] != 0 {
				t.Errorf("%+v, %d steps: goes from %v to %v", s, steps, got[0], got[steps])
			}
			for i := range steps {
				if !(got[i+1] < got[i]) {
					t.Errorf("%+v, %d steps: sigma %d is %v after %v", s, steps, i+1, got[i+1], got[i])
				}
			}
		}
	}
}

func TestBadSchedulesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		s     Schedule
		steps int
		want  string
	}{
		"no steps":                     {Schedule{}, 0, "takes 1 to 1000"},
		"negative steps":               {Schedule{}, -1, "takes 1 to 1000"},
		"too many steps":               {Schedule{}, 1001, "takes 1 to 1000"},
		"negative shift":               {Schedule{Shift: -1}, 4, "not a positive number"},
		"shift that is not a number":   {Schedule{Shift: math.NaN()}, 4, "not a positive number"},
		"unknown spacing":              {Schedule{Spacing: "even"}, 4, `no spacing "even"`},
		"unknown time shift":           {Schedule{TimeShift: "cubic"}, 4, `no time shift "cubic"`},
		"a line through a point":       {Schedule{Dynamic: true, BaseTokens: 4, MaxTokens: 4}, 4, "both 4"},
		"a shift out of range":         {Schedule{Dynamic: true, BaseTokens: 1, MaxTokens: 2, MaxShift: 9}, 4, "out of range"},
		"a linear shift that vanishes": {Schedule{Dynamic: true, TimeShift: TimeShiftLinear, BaseTokens: 100, MaxTokens: 200, BaseShift: 0.1, MaxShift: 1}, 4, "not positive"},
	} {
		if _, err := c.s.Sigmas(c.steps, 64); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestEulerStepFollowsTheVelocity(t *testing.T) {
	x, v := []float32{1, -2, 0.5}, []float32{2, 4, -1}
	eulerStep(x, v, 1, 0.75)
	for i, want := range []float32{0.5, -3, 0.75} {
		if x[i] != want {
			t.Errorf("x[%d] = %v, want %v", i, x[i], want)
		}
	}
}
