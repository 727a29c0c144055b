package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tick is the unit of processor times in /proc, which is a hundredth of a second on every Linux that Go supports.
const tick = 10 // ms

// processor returns how many milliseconds of processor time these processes and their children have had; false where there is no
// /proc, or none of them. It is what limits a machine, and other programs on the machine hardly change it.
func processor(of ...string) (ms float64, known bool) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, false
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // of the kernel
		if err != nil {
			continue // it has ended
		}
		for _, pid := range of {
			if used, counts := processorOf(string(data), pid); counts {
				ms, known = ms+used, true
				break // a parent may be named beside its child
			}
		}
	}
	return ms, known
}

// ownProcessor returns the processor time of this process and its children.
func ownProcessor() (ms float64, known bool) { return processor(strconv.Itoa(os.Getpid())) }

// processorOf reads one line of /proc/<pid>/stat: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
func processorOf(line, parent string) (ms float64, ours bool) {
	before, after, found := strings.Cut(line, " (")
	end := strings.LastIndex(after, ") ")
	if !found || end < 0 {
		return 0, false
	}
	fields := strings.Fields(after[end+2:])
	if len(fields) < 13 || fields[1] != parent && before != parent {
		return 0, false
	}
	user, userErr := strconv.ParseFloat(fields[11], 64)
	system, systemErr := strconv.ParseFloat(fields[12], 64)
	return (user + system) * tick, userErr == nil && systemErr == nil
}

// load returns the machine's load average of the last minute, 0 where it is not known.
func load() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(data), " ")
	value, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return value
}
