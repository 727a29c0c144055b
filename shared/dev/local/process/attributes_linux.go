package process

import "syscall"

// attributes gives a child a group of its own and, besides the watcher, the kernel's own promise: it is killed when the thread
// that started it ends, and Go ends no thread before the process.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
