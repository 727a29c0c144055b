package process_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/shared/dev/local/process"
)

// helperVariable makes the test binary play the process that dies.
const helperVariable = "SIGNALBOX_PROCESS_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		parent()
		return
	}
	os.Exit(m.Run())
}

// parent starts a child that has a child, says their numbers, and waits to be killed.
func parent() {
	ctx := context.Background()
	g, err := process.NewGuardian(ctx)
	if err != nil {
		panic(err)
	}
	if _, err := g.Start(ctx, process.Spec{Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & echo $$ $!; wait"}, Output: os.Stdout}); err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestNoChildOutlivesAParentThatIsKilled(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	read, write := io.Pipe()
	cmd.Stdout = write
	cmd.WaitDelay = 100 * time.Millisecond
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for number := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		gone(t, pid)
	}
}

func TestCloseKillsGroups(t *testing.T) {
	g, err := process.NewGuardian(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	child, err := g.Start(t.Context(), process.Spec{Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & echo $!; wait"}, Output: write})
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	if got := child.Status(); got != "signal: killed" {
		t.Errorf("status %q", got)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	if _, err := g.Start(t.Context(), process.Spec{Path: "/bin/true"}); err == nil {
		t.Error("a closed guardian started a child")
	}
	g.Close()
}

func TestLinesKeepTheirPrefix(t *testing.T) {
	var out bytes.Buffer
	w := process.NewLog(&out).Lines("Route")
	for _, part := range []string{"one\ntw", "o\n", "\nthree\n", "unfinished"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "Route | one\nRoute | two\nRoute | \nRoute | three\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// fullDisk is a writer that fails while it is full.
type fullDisk struct {
	bytes.Buffer
	full bool
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.full {
		return 0, syscall.ENOSPC
	}
	return d.Buffer.Write(p)
}

func TestAFullLogDiskDoesNotEndAFunction(t *testing.T) {
	g, err := process.NewGuardian(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	log := process.NewLog(&fullDisk{full: true})
	// The lines are more than a pipe holds, so that the child would find out that nobody reads them.
	child, err := g.Start(t.Context(), process.Spec{
		Path: "/bin/sh", Args: []string{"-c", "i=0; while [ $i -lt 20000 ]; do echo line $i || exit 7; i=$((i+1)); done"}, Output: log.Lines("Route"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := child.Status(); got != "exit status 0" {
		t.Errorf("the child ended by %q", got)
	}
}

func TestALogSaysHowManyLinesItLost(t *testing.T) {
	disk := &fullDisk{full: true}
	w := process.NewLog(disk).Lines("Route")
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
	}
	disk.full = false
	if _, err := io.WriteString(w, "three\n"); err != nil {
		t.Fatal(err)
	}
	if want := "log | 2 lines lost: no space left on device\nRoute | three\n"; disk.String() != want {
		t.Errorf("got %q, want %q", disk.String(), want)
	}
}

// gone waits for a process to end. A zombie has ended: reaping is up to whoever inherited it.
func gone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(5 * time.Second)
	for syscall.Kill(pid, 0) == nil && !zombie(pid) {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}
