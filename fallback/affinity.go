package fallback

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// anyCPU and bigCPUs are the words that the option cpus takes beside a list.
const (
	anyCPU  = "any"
	bigCPUs = "big"
)

// chosenCPUs reads the option cpus: nil for any; "big" is every CPU with more
// than half the capacity of the largest, the largest first; a list is as in
// taskset(1), "4-7" or "0,2".
func chosenCPUs(text string, capacities map[int]int) ([]int, error) {
	switch text {
	case "", anyCPU:
		return nil, nil
	case bigCPUs:
		var list []int
		most := 0
		for _, c := range capacities {
			most = max(most, c)
		}
		for cpu, c := range capacities {
			if 2*c > most {
				list = append(list, cpu)
			}
		}
		slices.SortFunc(list, func(a, b int) int {
			if d := capacities[b] - capacities[a]; d != 0 {
				return d
			}
			return a - b
		})
		return list, nil
	}
	var list []int
	for _, part := range strings.Split(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last >= maxThreads {
			return nil, fmt.Errorf("cpus is %q; takes any, big, or a list of CPUs like 4-7 or 0,2", text)
		}
		for cpu := first; cpu <= last; cpu++ {
			if _, there := capacities[cpu]; !there {
				return nil, fmt.Errorf("cpus is %q, and this device has no CPU %d; there are %s", text, cpu, cpuNames(capacities))
			}
			if !slices.Contains(list, cpu) {
				list = append(list, cpu)
			}
		}
	}
	return list, nil
}

// cpuNames lists the CPUs of a device.
func cpuNames(capacities map[int]int) string {
	var list []string
	for _, cpu := range slices.Sorted(maps.Keys(capacities)) {
		list = append(list, strconv.Itoa(cpu))
	}
	return strings.Join(list, ", ")
}
