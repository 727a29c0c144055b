// Package process starts child processes that never outlive this one: each leads a process group of its own, which is killed
// when the Guardian is closed, and by a watcher when this process dies without a chance to say so.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// watch is what the watcher runs: it holds the list of process groups and kills them when its input ends, which is when the
// process at the other end of the pipe is gone, however it went. A shell is on every system this runs on, and needs no code
// in the children.
const watch = `all=" "
while read -r change group; do
  case $change in
    +) all="$all$group " ;;
    -) case $all in *" $group "*) all="${all%%" $group "*} ${all#*" $group "}" ;; esac ;;
  esac
done
for group in $all; do kill -s KILL -- "-$group"; done 2>/dev/null`

// Guardian starts children and sees to their end.
type Guardian struct {
	mu       sync.Mutex
	closed   bool
	children map[*Child]struct{}
	watcher  *exec.Cmd
	list     io.WriteCloser // to the watcher
}

// Spec is what to start.
type Spec struct {
	Path   string
	Args   []string
	Env    []string // all of it: nothing is inherited
	Dir    string
	Output io.Writer // standard output and standard error
}

// Child is a started process.
type Child struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // valid once ended is closed
}

// errClosed is what Start returns after Close.
var errClosed = errors.New("process: the guardian is closed")

// NewGuardian starts the watcher. Close has to be called in any case, even when ctx is done.
func NewGuardian(ctx context.Context) (*Guardian, error) {
	watcher := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", watch)
	watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the terminal must not reach it
	list, err := watcher.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("process: pipe to the watcher: %w", err)
	}
	if err := watcher.Start(); err != nil {
		return nil, fmt.Errorf("process: start the watcher: %w", err)
	}
	return &Guardian{children: map[*Child]struct{}{}, watcher: watcher, list: list}, nil
}

// Start starts a child. When ctx ends, it is killed.
func (g *Guardian) Start(ctx context.Context, s Spec) (*Child, error) {
	cmd := exec.CommandContext(ctx, s.Path, s.Args...) //nolint:gosec // binaries of this repository, built by the caller
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.Env, s.Dir, s.Output, s.Output
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild that holds the output open
	// A child may watch its standard input: it ends when this process does. Wait closes this end.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("process: %w", err)
	}
	c := &Child{cmd: cmd, ended: make(chan struct{})}

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errClosed
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("process: start: %w", err)
	}
	g.children[c] = struct{}{}
	g.tell("+", cmd.Process.Pid)
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.children, c)
		g.tell("-", cmd.Process.Pid)
	}()
	return c, nil
}

// tell changes the watcher's list. A watcher that is gone is no reason to fail: it is the second safety.
func (g *Guardian) tell(change string, pid int) {
	if !g.closed {
		_, _ = fmt.Fprintln(g.list, change, pid)
	}
}

// Close kills every child, waits for their end, and ends the watcher.
func (g *Guardian) Close() {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.closed = true
	children := slices.Collect(maps.Keys(g.children))
	g.mu.Unlock()
	for _, c := range children {
		c.Kill()
	}
	_ = g.list.Close()
	_ = g.watcher.Wait()
}

// Kill kills the child and all it started by SIGKILL and waits for its end.
func (c *Child) Kill() {
	c.signal(syscall.SIGKILL)
	<-c.ended
}

// SignalKill sends the child and all it started SIGKILL, and does not wait.
func (c *Child) SignalKill() { c.signal(syscall.SIGKILL) }

// SignalStop stops the child and all it started by SIGSTOP. A killed child ends all the same.
func (c *Child) SignalStop() { c.signal(syscall.SIGSTOP) }

// SignalContinue lets a frozen child go on.
func (c *Child) SignalContinue() { c.signal(syscall.SIGCONT) }

func (c *Child) signal(s syscall.Signal) {
	select {
	case <-c.ended: // its number may be another's by now
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, s)
	}
}

// Ended is closed when the child has ended and its output was read.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Status says how it ended, as in "exit status 1" or "signal: killed". It waits for the end.
func (c *Child) Status() string {
	<-c.ended
	if c.err == nil {
		return "exit status 0"
	}
	return c.err.Error()
}

// PID returns the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }
