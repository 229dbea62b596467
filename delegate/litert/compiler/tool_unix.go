//go:build unix

package compiler

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// alone puts the tool into a process group, which ends as a whole.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithUs(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// peak is the most memory in bytes that a process had; 0 if it is not known.
func peak(p *os.ProcessState) int64 {
	if p == nil {
		return 0
	}
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // counts in bytes, the others in KiB
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}
