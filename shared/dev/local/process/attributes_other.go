//go:build !linux

package process

import "syscall"

// attributes gives a child a group of its own; the watcher sees to its end.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
