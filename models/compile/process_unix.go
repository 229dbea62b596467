//go:build unix

package compile

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// apart has a process, and what it starts, ended together and not by ^C, which
// goes to the program in front.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// peakMemory is the most memory in bytes that an ended process had; 0 if nobody
// knows.
func peakMemory(s *os.ProcessState) int64 {
	if s == nil {
		return 0
	}
	u, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
