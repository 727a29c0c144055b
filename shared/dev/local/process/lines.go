package process

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxLine is where a line without an end is cut, so that a child cannot fill this process's memory.
const maxLine = 1 << 20

// Log is where the lines of many children go, one whole line at a time. A Write never fails: a child whose output nobody
// reads dies of its next line, and a full disk is no reason for that. Lines that could not be written are counted, and the
// next one that can be follows a line that says how many were lost.
type Log struct {
	mu   sync.Mutex
	w    io.Writer
	lost int
	err  error // of the last line lost
}

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer) *Log { return &Log{w: w} }

// Lines returns a writer for one child: each line is written to the log behind "name | ".
func (l *Log) Lines(name string) io.Writer { return &lines{log: l, prefix: name + " | "} }

// Write writes one or more whole lines.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		if _, err := fmt.Fprintf(l.w, "log | %d lines lost: %v\n", l.lost, l.err); err == nil {
			l.lost = 0
		}
	}
	if _, err := l.w.Write(p); err != nil {
		l.lost++
		l.err = err
	}
	return len(p), nil
}

type lines struct {
	log    *Log
	prefix string
	mu     sync.Mutex
	rest   []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte{'\n'})
		if !found {
			if len(l.rest) < maxLine {
				return len(p), nil
			}
			line, rest = l.rest, nil
		}
		out := make([]byte, 0, len(l.prefix)+len(line)+1)
		out = append(append(append(out, l.prefix...), line...), '\n')
		_, _ = l.log.Write(out) // it never fails
		l.rest = append(l.rest[:0], rest...)
	}
}
