package fallback

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuCapacities are the CPUs that this process may use, with how fast each is
// compared with the others: Linux's cpu_capacity, or else the highest frequency
// (Documentation/ABI/testing/sysfs-devices-system-cpu); 1 where neither is told.
func cpuCapacities() map[int]int {
	var allowed unix.CPUSet
	known := unix.SchedGetaffinity(0, &allowed) == nil
	capacities := map[int]int{}
	folders, _ := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*")
	for _, folder := range folders {
		cpu, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(folder), "cpu"))
		if err != nil || known && !allowed.IsSet(cpu) {
			continue
		}
		capacities[cpu] = 1
		for _, file := range []string{"cpu_capacity", "cpufreq/cpuinfo_max_freq"} {
			data, err := os.ReadFile(filepath.Join(folder, file))
			if n, convert := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && convert == nil {
				capacities[cpu] = n
				break
			}
		}
	}
	if len(capacities) == 0 { // no /sys
		for cpu := range runtime.NumCPU() {
			capacities[cpu] = 1
		}
	}
	return capacities
}

// pin keeps the goroutine on its thread and the thread on some CPUs, until the
// function that it returns is called.
func pin(cpus []int) (unpin func()) {
	runtime.LockOSThread()
	var before, set unix.CPUSet
	if unix.SchedGetaffinity(0, &before) != nil {
		runtime.UnlockOSThread()
		return func() {}
	}
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	// A CPU may have been taken offline since it was chosen: then the system
	// decides as before.
	_ = unix.SchedSetaffinity(0, &set)
	return func() {
		_ = unix.SchedSetaffinity(0, &before)
		runtime.UnlockOSThread()
	}
}
