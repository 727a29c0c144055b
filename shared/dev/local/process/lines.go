package process

import (
	"bytes"
	"io"
	"sync"
)

// maxLine is where a line without an end is cut, so that a child cannot fill this process's memory.
const maxLine = 1 << 20

// Log is where the lines of many children go, one whole line at a time.
type Log struct {
	mu sync.Mutex
	w  io.Writer
}

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer) *Log { return &Log{w: w} }

// Lines returns a writer for one child: each line is written to the log behind "name | ".
func (l *Log) Lines(name string) io.Writer { return &lines{log: l, prefix: name + " | "} }

// Write writes one or more whole lines.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
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
		if _, err := l.log.Write(out); err != nil {
			return len(p), err
		}
		l.rest = append(l.rest[:0], rest...)
	}
}
