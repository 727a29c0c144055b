package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

// Times of the suite, those of production.
const (
	attempt = 10 * time.Second
	message = 20 * time.Second
	lease   = 35 * time.Second
)

// world is one simulator with everything that outlives a process.
type world[R any] struct {
	t *testing.T
	Harness[R]
	store *memstore.Store
	wire  *wire
	links *links
	files *shelf
	out   *syncBuffer
	width int
	enrol bool     // whether persons can be put into sequences
	said  []string // the errors

	mappings *connector.Mappings // nil: the tenant maps nothing
	budget   *connector.Budget   // nil: requests are not counted
}

func newWorld[R any](t *testing.T, h Harness[R]) *world[R] {
	t.Helper()
	w := &world[R]{
		t: t, Harness: h, store: memstore.New(), wire: &wire{simulator: h.Simulator},
		links: &links{held: map[canonical.ThreadID]map[string]string{}}, out: &syncBuffer{}, width: 1,
		files: &shelf{kept: map[string]*media.Kept{}, bodies: map[string]string{}},
	}
	if w.enrol = h.Enrol != nil; !w.enrol {
		w.Enrol = func(string, time.Time) {}
	}
	t.Cleanup(func() { w.quiet() })
	return w
}

// second cuts a time off to what every CRM keeps of when somebody replied.
func second(t time.Time) time.Time { return t.Truncate(time.Second) }

// quiet looks through errors and logs for what must not be there.
func (w *world[R]) quiet() {
	said := w.out.String() + strings.Join(w.said, "\n")
	forbidden := append([]string{"Secret words", "1415555", "Person 0"}, w.Secrets...)
	for _, word := range forbidden {
		if word == "" {
			continue
		}
		if at := strings.Index(said, word); at >= 0 {
			w.t.Errorf("errors or logs hold %q: …%s…", word, said[max(0, at-80):min(len(said), at+80)])
		}
	}
}

// connector returns a connector that lives in p and puts width deliveries into a call, behind gates, nil for none.
func (w *world[R]) connector(p *process, width int, gates *connector.Gates) *connector.Connector[R] {
	logger, meter := w.logs()
	crm := w.New(w.wire.client(p), logger)
	checked := connector.CRM[R](pure[R]{w.t, crm})
	if writer, ok := crm.(connector.StatusWriter); ok {
		checked = pureWriter[R]{pure[R]{w.t, crm}, writer}
	}
	return connector.New(checked, connector.Options{
		Claims: idempotency.New(storage{p, w.store}, lease), Store: storage{p, w.store}, Opener: unsealed{}, Links: w.links, Files: w.files, Gates: gates, Budget: w.budget, Mappings: w.mappings,
		Width: width, Attempt: attempt, Logger: logger, Meter: meter,
	})
}

func (w *world[R]) logs() (*slog.Logger, *telemetry.Meter) {
	id := telemetry.Identity{Function: "connectortest", Version: "1"}
	return telemetry.NewLogger(w.out, id), telemetry.NewMeter(w.out, id)
}

// deliver hands deliveries of different threads to a connector that lives in p and returns an error each.
func (w *world[R]) deliver(p *process, ds ...delivery.Delivery) []error {
	w.t.Helper()
	c := w.connector(p, w.width, nil)
	heads := make([]queue.Received, len(ds))
	for i, d := range ds {
		body, err := json.Marshal(d)
		if err != nil {
			w.t.Fatal(err)
		}
		heads[i] = queue.Received{
			Message: queue.Message{ID: string(d.ID), Group: string(d.Event.ThreadID), Body: body}, Attempt: 1, FirstSent: time.Now(),
		}
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), message)
	defer cancel()
	errs := c.Handle(ctx, heads)
	for _, err := range errs {
		if err != nil {
			w.said = append(w.said, err.Error())
		}
		w.advised(err)
	}
	return errs
}

// finish delivers until everything is done, as the queue would, in processes that live.
func (w *world[R]) finish(ds ...delivery.Delivery) {
	w.t.Helper()
	for range 8 {
		var left []delivery.Delivery
		for i, err := range w.deliver(&process{}, ds...) {
			if err == nil {
				continue
			}
			if f := fault.Of(err); f.Kind == fault.Permanent {
				w.t.Fatalf("%s is given up: %v", ds[i].ID, err)
			}
			left = append(left, ds[i])
		}
		if ds = left; len(ds) == 0 {
			return
		}
		time.Sleep(lease)
	}
	w.t.Fatalf("%d deliveries never end; the last errors: %q", len(ds), w.said[len(w.said)-len(ds):])
}

// holds fails the test unless the CRM holds so many persons, and each of the deliveries' messages exactly once, at its time,
// with exactly one person, who shows it if it was a reply.
func (w *world[R]) holds(persons int, ds ...delivery.Delivery) {
	w.t.Helper()
	held := w.Held()
	if len(held.Persons) != persons {
		w.t.Errorf("%d persons, want %d: %+v", len(held.Persons), persons, held.Persons)
	}
	if len(held.Activities) != len(ds) {
		w.t.Errorf("%d activities, want %d: %+v", len(held.Activities), len(ds), held.Activities)
	}
	for _, d := range ds {
		w.holdsMessage(held, d)
		w.holdsNotice(held, d)
	}
}

func (w *world[R]) holdsMessage(held Held, d delivery.Delivery) {
	w.t.Helper()
	key := messageKey(d)
	reply, _ := connector.ReplyOf(d.Actions)
	known := map[string]bool{}
	for _, p := range held.Persons {
		known[p.ID] = true
		if p.Key == d.Person.Key && reply.Any() && (reply.Mark && second(p.RepliedAt).Before(second(reply.At)) || !p.Ended) {
			w.t.Errorf("person %+v does not show what %s says of sequences", p, d.ID)
		}
	}
	found := 0
	for _, a := range held.Activities {
		if a.ExternalID != key {
			continue
		}
		found++
		if len(a.Persons) != 1 || !known[a.Persons[0]] {
			w.t.Errorf("activity of %s is associated with %q, want one person", d.ID, a.Persons)
		}
		if shows := w.reached(d); shows != nil && a.Status != w.Statuses.State(*shows) {
			w.t.Errorf("the message of %s is shown as %q, want %q", d.ID, a.Status, w.Statuses.State(*shows))
		}
		if !a.At.Equal(d.Event.Timestamp.Truncate(w.Kept)) {
			w.t.Errorf("activity of %s is at %s, want %s", d.ID, a.At, d.Event.Timestamp)
		}
	}
	if found != 1 {
		w.t.Errorf("the message of %s is there %d times", d.ID, found)
	}
}

func messageKey(d delivery.Delivery) string {
	return canonical.MessageKey(d.Event.TenantID, d.Event.Provider, d.Event.AccountID, d.Event.ProviderMessageID)
}

// phone returns the number of person n.
func phone(n int) string { return fmt.Sprintf("+1415555%04d", n) }

// unknown returns the delivery of message m of person n, whom the router does not know.
func (w *world[R]) unknown(n, m int) delivery.Delivery {
	at := time.Date(2026, 1, 18, 14, 23, m, 123e6, time.UTC)
	provider := fmt.Sprintf("SM%032d", n*1000+m)
	event := canonical.NewEventID(w.Tenant, "provider", "account", "message", provider)
	return delivery.Delivery{
		ID: delivery.NewID(event, w.Name), CRM: w.Name,
		Event: canonical.Event{
			EventID: event, SchemaVersion: canonical.SchemaVersion, TenantID: w.Tenant, AccountID: "account", LineID: "line",
			ThreadID: canonical.ThreadID(fmt.Sprintf("t1_%064x", n)), Type: canonical.TypeMessage, Channel: canonical.SMS,
			Direction: canonical.Inbound, ConversationID: fmt.Sprintf("sms:account:conv:%d", n), Provider: "provider",
			ProviderMessageID: provider,
			Sender:            canonical.Participant{Phone: phone(n), DisplayName: fmt.Sprintf("Person 0%d", n)},
			Recipient:         canonical.Participant{Phone: "+15557654321"},
			Message:           &canonical.Message{Text: "Secret words", Summary: "Secret words", ContentType: "text/plain"},
			Timestamp:         at, ReceivedAt: time.Now().UTC(),
		},
		Person: delivery.Person{
			Key: fmt.Sprintf("%064x", n+1<<20), Name: fmt.Sprintf("Person 0%d", n), Phone: phone(n), Region: "US",
		},
		Actions: []delivery.Action{
			{Kind: delivery.EnsurePerson, Value: map[string]string{"source": "messaging", "channel": "sms", "description": "Secret words"}},
			{Kind: delivery.LogActivity},
		},
	}
}

// known returns the delivery of message m of person n with the links learned from an earlier one.
func (w *world[R]) known(n, m int) delivery.Delivery {
	d := w.unknown(n, m)
	d.Person.Links = w.links.of(d.Event.ThreadID)
	d.Actions = []delivery.Action{{Kind: delivery.LogActivity}}
	return d
}

// links remembers what was learned.
type links struct {
	mu   sync.Mutex
	held map[canonical.ThreadID]map[string]string
}

func (l *links) Link(_ context.Context, _ string, thread canonical.ThreadID, _ string, _, found map[string]string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[thread] == nil {
		l.held[thread] = map[string]string{}
	}
	maps.Copy(l.held[thread], found)
	return nil
}

func (l *links) of(thread canonical.ThreadID) map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.held[thread])
}

// pure looks that Next is a function of its arguments and leaves them alone.
type pure[R any] struct {
	t *testing.T
	connector.CRM[R]
}

func (p pure[R]) Next(d delivery.Delivery, done connector.Progress) (connector.Step[R], bool, error) {
	before, err := json.Marshal(done)
	if err != nil {
		p.t.Error(err)
	}
	step, ok, failed := p.CRM.Next(d, done)
	again, okAgain, _ := p.CRM.Next(d, done)
	after, err := json.Marshal(done)
	if err != nil {
		p.t.Error(err)
	}
	if ok != okAgain || !reflect.DeepEqual(step, again) || !bytes.Equal(before, after) {
		p.t.Errorf("Next is not a function: %q then %q", step.Name, again.Name)
	}
	return step, ok, failed
}

// Links implements connector.Linker for CRMs that do.
func (p pure[R]) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	if linker, ok := p.CRM.(connector.Linker); ok {
		return linker.Links(d, done)
	}
	return nil
}

// MaxFile implements connector.FileTaker for CRMs that do.
func (p pure[R]) MaxFile() int {
	if taker, ok := p.CRM.(connector.FileTaker); ok {
		return taker.MaxFile()
	}
	return 0
}

// pureWriter is a pure that shows statuses.
type pureWriter[R any] struct {
	pure[R]
	connector.StatusWriter
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
