package local_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store"
)

// bodies collects everything that is sent to a queue.
type bodies struct {
	mu     sync.Mutex
	all    map[string][][]byte // by the queue's logical id
	refuse bool                // what is sent
}

var errOutage = errors.New("the queue is away")

func (b *bodies) of(queue string) func(memqueue.Call) memqueue.Fault {
	return func(c memqueue.Call) memqueue.Fault {
		b.mu.Lock()
		defer b.mu.Unlock()
		if c.Operation != memqueue.OperationSend {
			return memqueue.Fault{}
		}
		for _, m := range c.Messages {
			b.all[queue] = append(b.all[queue], m.Body)
		}
		if b.refuse {
			return memqueue.Fault{Before: errOutage}
		}
		return memqueue.Fault{}
	}
}

func (b *bodies) first(queue string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all[queue]) == 0 {
		return nil
	}
	return bytes.Clone(b.all[queue][0])
}

// TestNoStoreOrQueueHoldsWhatIsPrivate looks through every byte that is stored or queued for the samples, for a message that
// was spooled, for one that an adapter gave up, and for one that a connector did.
func TestNoStoreOrQueueHoldsWhatIsPrivate(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 7, local.Options{Times: map[string]string{"ReceiptsWindowSeconds": "0.2"}})
	seen := bodies{all: map[string][][]byte{}}
	for _, id := range w.Queues() {
		w.Queue(id).Inject(seen.of(id))
	}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	reports, _, err := w.client.SendAll(ctx, root, false)
	if err != nil {
		t.Fatal(err)
	}
	unowned, spooled := w.privately("unowned", "+15557650000"), w.privately("spooled", "+15557654321")
	w.accepted(ctx, unowned)
	seen.mu.Lock()
	seen.refuse = true
	seen.mu.Unlock()
	w.accepted(ctx, spooled)
	seen.mu.Lock()
	seen.refuse = false
	seen.mu.Unlock()
	w.giveUp(ctx, seen.first("hubspotQueue"))

	const phone, words = "15552017771", "Nobody is to read this of a day"
	w.through(ctx, w.client.NewTo("demo-day", samples.Load{Kind: samples.Message, Number: "of-a-day", Person: "+" + phone, Text: words}))

	forbidden := secretsOf(t, root, append(reports, samples.Report{Sample: unowned}, samples.Report{Sample: spooled}))
	forbidden["a number of a day"], forbidden["the words of a day"] = phone, words
	for i, value := range w.Secrets() {
		forbidden[fmt.Sprintf("secret %d", i)] = value
	}
	w.search(forbidden, &seen)
}

// privately is a message that ends up somewhere unusual.
func (w *world) privately(what, to string) samples.Sample {
	s := w.sample()
	s.Name = what
	s.Form[3][1] = to
	s.Form[4][1] = "Nobody is to read this: " + what
	s.Form[0][1] = "SM" + strings.Repeat(fmt.Sprintf("%x", what[0]), 16)
	return s
}

func (w *world) accepted(ctx context.Context, s samples.Sample) {
	w.Helper()
	if status, err := w.client.Send(ctx, s); err != nil || status != 200 {
		w.Fatalf("%s: answered %d, %v", s.Name, status, err)
	}
}

// through sends a message and waits until no queue holds any.
func (w *world) through(ctx context.Context, s samples.Sample) {
	w.Helper()
	if status, err := w.client.Send(ctx, s); err != nil || status/100 != 2 {
		w.Fatalf("%s: answered %d, %v", s.Name, status, err)
	}
	w.rest(ctx)
}

// giveUp hands the connector a delivery that was altered, and waits until it is recorded as a dead letter.
func (w *world) giveUp(ctx context.Context, body []byte) {
	w.Helper()
	at := bytes.LastIndexByte(body, '"') - 4
	if at < 0 {
		w.Fatal("no delivery was seen")
	}
	body[at] ^= 1 // of base64's letters: it stays one
	if err := w.Queue("hubspotQueue").Publish(ctx, queue.Message{ID: "altered", Group: "altered", Body: body}); err != nil {
		w.Fatal(err)
	}
	day := store.Range{Partition: deadletter.Day("demo", time.Now())}
	for range 500 {
		page, _, err := w.Table("StateTable").List(ctx, day)
		if err != nil {
			w.Fatal(err)
		}
		for _, pointer := range page {
			if strings.Contains(string(pointer.Data), keyring.CodeMalformed) {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.Error("the altered delivery was not given up")
}

// ownAddresses returns the addresses of the tenant's lines.
func (w *world) ownAddresses() string {
	w.Helper()
	file, err := w.Tenant()
	if err != nil {
		w.Fatal(err)
	}
	lines, _ := file["lines"].([]any)
	var own strings.Builder
	for _, line := range lines {
		if fields, ok := line.(map[string]any); ok {
			_, _ = fmt.Fprintln(&own, fields["address"])
		}
	}
	return own.String()
}

// search fails for whatever forbidden is found.
func (w *world) search(forbidden map[string]string, seen *bodies) {
	w.Helper()
	found, own := map[string]int{}, w.ownAddresses()
	for _, table := range []string{"ConfigTable", "StateTable", "SpoolTable", "PersonKeysTable"} {
		for record := range w.Table(table).All() {
			kind, _, _ := strings.Cut(record.Sort, "/")
			found[table]++
			found[kind]++
			for _, layer := range layers([]byte(record.Partition+" "+record.Sort+" "+string(record.Data)), 0) {
				for what, private := range forbidden {
					if table == "ConfigTable" && strings.Contains(own, private) {
						continue // a tenant's own numbers are its configuration
					}
					if bytes.Contains(layer, []byte(private)) {
						w.Errorf("%s holds %s, in %s of %s", table, what, kind, record.Partition)
					}
				}
			}
		}
	}
	for _, proof := range []string{"ConfigTable", "StateTable", "SpoolTable", "PersonKeysTable", "event", "dead", "part", "key", "session", "written", "conversations"} {
		if found[proof] == 0 {
			w.Errorf("there is no %s: it proves nothing (%v)", proof, found)
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, id := range []string{"EventsQueue", "ReceiptsQueue", "hubspotQueue", "salesforceQueue", "DeliveriesDeadLetters"} {
		if len(seen.all[id]) == 0 && id != "ReceiptsQueue" {
			w.Errorf("nothing was sent to %s: it proves nothing", id)
		}
	}
	for id, all := range seen.all {
		for _, body := range all {
			for _, layer := range layers(body, 0) {
				for what, private := range forbidden {
					if bytes.Contains(layer, []byte(private)) {
						w.Errorf("%s was sent %s", id, what)
					}
				}
			}
		}
	}
	log, err := os.ReadFile(w.LogPath)
	if err != nil {
		w.Fatal(err)
	}
	for what, private := range forbidden {
		if bytes.Contains(log, []byte(private)) {
			w.Errorf("the log holds %s", what)
		}
	}
}

// layers returns data, and what is in it as base64 or compressed: neither hides anything.
func layers(data []byte, depth int) [][]byte {
	out := [][]byte{data}
	if depth == 4 {
		return out
	}
	if at := bytes.Index(data, []byte{0x1f, 0x8b, 8}); at >= 0 {
		if r, err := gzip.NewReader(bytes.NewReader(data[at:])); err == nil {
			plain, _ := io.ReadAll(r)
			out = append(out, layers(plain, depth+1)...)
		}
	}
	for _, encoded := range regexp.MustCompile(`[A-Za-z0-9+/]{24,}={0,2}`).FindAll(data, -1) {
		if plain, err := base64.StdEncoding.DecodeString(string(encoded)); err == nil {
			out = append(out, layers(plain, depth+1)...)
		}
	}
	return out
}
