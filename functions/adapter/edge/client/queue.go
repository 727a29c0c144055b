package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ErrFull is that a queue takes no more until something was sent.
var ErrFull = errors.New("client: the queue is full")

// Most is how many requests a queue holds that is given no number.
const Most = 1000

// QueueOptions say how a queue keeps requests.
type QueueOptions struct {
	Most int // requests; zero is Most
	// Folder is where they are kept over a restart, in files that hold the events in the clear and that their owner alone reads. It is one
	// queue's alone. Empty is in memory.
	Folder string
	// Refused is called with each request that is answered for good, and of which something was refused: it is no longer in the queue. Nil
	// drops it.
	Refused func(Request, []Verdict, error)
	// Blocked is called each time that a request was answered 403, 404 or the like: the account, its key or this machine's clock is to be put
	// right. The request stays.
	Blocked func(error)
}

// Queue keeps requests and sends them one after the other, in the order they were added: the next when the one before was answered for good.
// It never gives one up for want of an answer. It is safe for concurrent use.
type Queue struct {
	client *Client
	QueueOptions

	mu    sync.Mutex
	held  []held
	last  int
	added chan struct{}
}

// held is a request and its number, which its file is named by.
type held struct {
	number int
	Request
}

// Queue returns a queue, with what its folder holds.
func (c *Client) Queue(o QueueOptions) (*Queue, error) {
	q := &Queue{client: c, QueueOptions: o, added: make(chan struct{}, 1)}
	if q.Most <= 0 {
		q.Most = Most
	}
	if o.Folder == "" {
		return q, nil
	}
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, err
	}
	return q, q.load()
}

// load reads the folder. What is no file of a queue's is left alone.
func (q *Queue) load() error {
	files, err := os.ReadDir(q.Folder) // sorted by name
	if err != nil {
		return err
	}
	for _, f := range files {
		number, err := strconv.Atoi(strings.TrimSuffix(f.Name(), ".json"))
		if err != nil || q.file(number) != filepath.Join(q.Folder, f.Name()) {
			continue
		}
		h := held{number: number}
		data, err := os.ReadFile(q.file(number))
		if err == nil {
			err = json.Unmarshal(data, &h.Request)
		}
		if err != nil {
			return fmt.Errorf("client: %s cannot be read: %w", q.file(number), err)
		}
		q.held, q.last = append(q.held, h), number
	}
	q.wake()
	return nil
}

func (q *Queue) file(number int) string {
	return filepath.Join(q.Folder, fmt.Sprintf("%012d.json", number))
}

// Len returns how many requests wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.held)
}

// Add puts a request behind the others. When it returns nil the request is in the folder, if there is one.
func (q *Queue) Add(r Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.held) >= q.Most {
		return ErrFull
	}
	h := held{q.last + 1, r}
	if err := q.write(h); err != nil {
		return err
	}
	q.held, q.last = append(q.held, h), h.number
	q.wake()
	return nil
}

// wake lets Run look.
func (q *Queue) wake() {
	select {
	case q.added <- struct{}{}:
	default:
	}
}

// write makes the file of a request: whole, or not there.
func (q *Queue) write(h held) error {
	if q.Folder == "" {
		return nil
	}
	data, err := json.Marshal(h.Request)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(q.Folder, "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), q.file(h.number))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Run sends what is there and what is added until ctx is done, whose error it returns. One Run at a time is enough, and keeps the order.
func (q *Queue) Run(ctx context.Context) error {
	blocked := q.Blocked
	if blocked == nil {
		blocked = func(error) {}
	}
	for {
		h, ok := q.first()
		if !ok {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-q.added:
				continue
			}
		}
		verdicts, err := q.client.send(ctx, h.Request, blocked)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		refused := err != nil || slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Status == "refused" })
		if refused && q.Refused != nil {
			q.Refused(h.Request, verdicts, err)
		}
		if err := q.remove(h); err != nil {
			return err
		}
	}
}

func (q *Queue) first() (held, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.held) == 0 {
		return held{}, false
	}
	return q.held[0], true
}

func (q *Queue) remove(h held) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = slices.DeleteFunc(q.held, func(other held) bool { return other.number == h.number })
	if q.Folder == "" {
		return nil
	}
	if err := os.Remove(q.file(h.number)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
