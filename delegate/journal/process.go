package journal

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A token names a process in the file: its number and, where the system tells,
// when it started: "1234@567890". Numbers are used again, in a container by the
// very next start.

// lostToken stands for a process that is gone.
const lostToken = "0"

// ownToken is found once: an emulated machine gives a process another start each
// time it asks.
var ownToken = sync.OnceValue(func() string {
	pid := os.Getpid()
	if started := startOf(pid); started != "" {
		return fmt.Sprintf("%d@%s", pid, started)
	}
	return strconv.Itoa(pid)
})

func splitToken(token string) (pid int, started string, ok bool) {
	number, started, _ := strings.Cut(token, "@")
	pid, err := strconv.Atoi(number)
	return pid, started, err == nil && pid >= 0 && len(token) <= 64
}

// alive says whether a token's process is still there.
func alive(token string) bool {
	if token == ownToken() {
		return true
	}
	pid, started, ok := splitToken(token)
	if !ok || pid == 0 || !exists(pid) {
		return false
	}
	found := startOf(pid)
	return started == "" || found == "" || started == found
}

// startOf is when a process started, in clock ticks since the system did, or ""
// where there is no /proc.
func startOf(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in brackets, with anything in it.
	_, after, ok := strings.Cut(string(data[max(0, strings.LastIndexByte(string(data), ')')):]), ") ")
	fields := strings.Fields(after)
	const startTime = 22 - 3 // field 22, and the first two are cut off
	if !ok || len(fields) <= startTime {
		return ""
	}
	if _, err := strconv.ParseUint(fields[startTime], 10, 64); err != nil {
		return ""
	}
	return fields[startTime]
}
