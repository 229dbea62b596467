package support

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// NNAPIOptions is an Android device as NNAPI's delegate sees it.
type NNAPIOptions struct {
	// Level is the NNAPI feature level: Android's API level, 27 to 31, or that
	// of the updatable runtime, 1000006 to 1000008. It is the device's own, or
	// with a named accelerator that of its driver.
	Level int
	// Accelerator: one is named, and it is not NNAPI's reference CPU.
	Accelerator bool
	// AllowFP16 lets the device compute FLOAT32 in half precision. It does not
	// change what is taken.
	AllowFP16 bool
}

// runtimeLevel is what the updatable runtime's levels count from.
const runtimeLevel = 1000000

// levels are the feature levels at which something changes, rising.
var levels = []int{27, 28, 29, 30, 31, runtimeLevel + 6, runtimeLevel + 7, runtimeLevel + 8}

var nnapiRows = loaded("nnapi.psv", parseLevel)

// NNAPI is Android's Neural Networks API. The error names the levels there are.
func NNAPI(o NNAPIOptions) (Table, error) {
	if !slices.Contains(levels, o.Level) {
		return nil, fmt.Errorf("no NNAPI feature level %d; there are 27 to 31 and 1000006 to 1000008", o.Level)
	}
	return &table{
		name: "nnapi-" + shortLevel(o.Level), title: "NNAPI", rows: nnapiRows(),
		device: device{level: o.Level, levelName: nnapiLevel, named: o.Accelerator, folds: readsHalf},
	}, nil
}

// parseLevel reads "29" or "FL6".
func parseLevel(s string) (int, error) {
	base := 0
	number, runtime := strings.CutPrefix(s, "FL")
	if runtime {
		base = runtimeLevel
	}
	n, err := strconv.Atoi(number)
	if err != nil || !slices.Contains(levels, base+n) {
		return 0, fmt.Errorf("no NNAPI level %q", s)
	}
	return base + n, nil
}

// nextLevel is the level above.
func nextLevel(level int) int {
	for _, l := range levels {
		if l > level {
			return l
		}
	}
	return level
}

// shortLevel spells a level in names: "29", "fl6".
func shortLevel(level int) string {
	if level > runtimeLevel {
		return fmt.Sprintf("fl%d", level-runtimeLevel)
	}
	return strconv.Itoa(level)
}

// nnapiLevel spells a level for people.
func nnapiLevel(level int) string {
	if level > runtimeLevel {
		return fmt.Sprintf("NNAPI feature level %d", level-runtimeLevel)
	}
	return fmt.Sprintf("NNAPI level %d", level)
}
