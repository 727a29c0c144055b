package relay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// keep is how long it is remembered what was forwarded of a message, from when that was written.
const keep = 7 * 24 * time.Hour

// entry is something to send, about a message. Without a body it is only remembered.
type entry struct {
	IDs     []string        `json:"ids"` // what it tells, the first of which it is called by: what is told twice is sent once
	GUID    string          `json:"guid"`
	Created int64           `json:"created"`
	Chats   json.RawMessage `json:"chats,omitempty"` // where the message was written, for updates that do not say
	Body    []byte          `json:"body,omitempty"`
}

// line is one line of the file: one thing that happened.
type line struct {
	Put   *entry   `json:"put,omitempty"`   // it is to be sent
	Done  string   `json:"done,omitempty"`  // it was sent, or is to be sent no more
	At    int64    `json:"at,omitempty"`    // everything was asked for that the server had by then
	Allow *allowed `json:"allow,omitempty"` // who is allowed from here on
}

// journal is the queue on the disk, and what is remembered of what was sent. It is a file to which one line is added for each thing that
// happens; what was not written whole when the machine stopped did not happen. It is safe for concurrent use.
type journal struct {
	mu      sync.Mutex
	name    string
	file    *os.File
	lines   int // in the file
	damaged int // lines that could not be read
	pending []entry
	known   map[string]*entry // by guid, without a body
	at      int64
	allow   allowed
}

// openJournal reads the journal of a folder, or makes one, and leaves out what needs no longer be remembered.
func openJournal(folder string) (*journal, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	j := &journal{name: filepath.Join(folder, "journal"), known: map[string]*entry{}}
	if err := j.read(); err != nil {
		return nil, err
	}
	return j, j.rewrite()
}

// read reads the file.
func (j *journal) read() error {
	file, err := os.Open(j.name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewReader(file); ; {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) { // what is behind the end of the last line was not written whole
			return nil
		}
		var l line
		switch {
		case err != nil:
			return fmt.Errorf("folder: %w", err)
		case json.Unmarshal(text, &l) != nil || l.Put != nil && len(l.Put.IDs) == 0:
			j.damaged++ // what it says is not known to be sent, and asked for again
		default:
			j.apply(l)
		}
	}
}

// apply does what a line says.
func (j *journal) apply(l line) {
	switch {
	case l.Put != nil:
		k := j.known[l.Put.GUID]
		if k == nil {
			k = &entry{GUID: l.Put.GUID, Created: l.Put.Created}
			j.known[k.GUID] = k
		}
		k.IDs = append(k.IDs, l.Put.IDs...)
		if len(l.Put.Chats) > 0 {
			k.Chats = l.Put.Chats
		}
		if len(l.Put.Body) > 0 {
			j.pending = append(j.pending, *l.Put)
		}
	case l.Done != "":
		j.pending = slices.DeleteFunc(j.pending, func(e entry) bool { return e.IDs[0] == l.Done })
	case l.At != 0:
		j.at = l.At
	case l.Allow != nil:
		j.allow = *l.Allow
	}
}

// rewrite writes the file anew, in one step, without what was written long ago.
func (j *journal) rewrite() error {
	before := time.Now().Add(-keep).UnixMilli()
	text := bytes.NewBuffer(nil)
	j.lines = 0
	add := func(l line) {
		_ = json.NewEncoder(text).Encode(l) // texts, numbers and JSON always encode
		j.lines++
	}
	add(line{Allow: &j.allow})
	add(line{At: j.at})
	for guid, k := range j.known {
		if k.Created < before {
			delete(j.known, guid)
			continue
		}
		add(line{Put: k})
	}
	for i := range j.pending {
		add(line{Put: &j.pending[i]})
	}
	next, err := os.OpenFile(j.name+".new", os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if _, err = next.Write(text.Bytes()); err == nil {
		err = next.Sync()
	}
	if err == nil {
		err = os.Rename(j.name+".new", j.name)
	}
	if err != nil {
		_ = next.Close()
		return fmt.Errorf("folder: %w", err)
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file = next
	return nil
}

// write adds a line, on the disk before it returns, and does what it says.
func (j *journal) write(l line) error {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = j.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	j.apply(l)
	if j.lines++; j.lines > 1000+4*(len(j.known)+len(j.pending)) {
		return j.rewrite()
	}
	return nil
}

// put keeps an entry to be sent.
func (j *journal) put(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(line{Put: &e})
}

// done takes an entry out of the queue.
func (j *journal) done(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(line{Done: id})
}

// reached keeps until when everything was asked for.
func (j *journal) reached(at int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(line{At: at})
}

// permit keeps who is allowed.
func (j *journal) permit(a allowed) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(line{Allow: &a})
}

// position returns until when everything was asked for, 0 where nothing was.
func (j *journal) position() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

// first returns what is to be sent next, and false where there is nothing.
func (j *journal) first() (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) == 0 {
		return entry{}, false
	}
	return j.pending[0], true
}

// all returns what is to be sent.
func (j *journal) all() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.pending)
}

// tells reports whether something was told of a message already.
func (j *journal) tells(guid, id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := j.known[guid]
	return k != nil && slices.Contains(k.IDs, id)
}

// where returns the chats of a message that was forwarded, nil of another.
func (j *journal) where(guid string) json.RawMessage {
	j.mu.Lock()
	defer j.mu.Unlock()
	if k := j.known[guid]; k != nil {
		return k.Chats
	}
	return nil
}

// close closes the file.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}
