//go:build !linux

package fallback

import "runtime"

// cpuCapacities: these systems do not tell, and give no choice.
func cpuCapacities() map[int]int {
	capacities := map[int]int{}
	for cpu := range runtime.NumCPU() {
		capacities[cpu] = 1
	}
	return capacities
}

func pin([]int) (unpin func()) { return func() {} }
