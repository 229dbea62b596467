package compiler

import "syscall"

// endWithUs has the kernel end the tool when the thread that started it ends, as it
// does when this program is killed.
func endWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
