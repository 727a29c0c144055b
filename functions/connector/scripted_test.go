package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

type (
	step    = connector.Step[string] // the request is the delivery's id
	outcome = connector.Outcome
)

// scripted is a CRM whose plan is a list of steps and whose calls are written into a journal.
type scripted struct {
	steps []step
	do    func(ctx context.Context, id string, s step) outcome

	mu      sync.Mutex
	journal []string
}

func (s *scripted) Next(d delivery.Delivery, done connector.Progress) (step, bool, error) {
	for _, next := range s.steps {
		if result, ok := done[next.Name]; !ok || result[connector.ResultBehind] != "" || next.Request == "again" {
			next.Request = string(d.ID)
			return next, true, nil
		}
	}
	return step{}, false, nil
}

func (s *scripted) Do(ctx context.Context, steps []step) []outcome {
	var names []string
	for _, next := range steps {
		name := next.Request + " " + next.Name
		if next.Intended {
			name += "?"
		}
		names = append(names, name)
	}
	s.note("do " + strings.Join(names, ", "))
	outcomes := make([]outcome, len(steps))
	for i, next := range steps {
		if s.do != nil {
			outcomes[i] = s.do(ctx, next.Request, next)
		}
	}
	return outcomes
}

func (s *scripted) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal = append(s.journal, line)
}

// Links implements connector.Linker.
func (s *scripted) Links(_ delivery.Delivery, done connector.Progress) map[string]string {
	if id := done["resolve"]["contact"]; id != "" {
		return map[string]string{"contact": id}
	}
	return nil
}

type linked struct {
	calls []string
	err   error
}

func (l *linked) Link(_ context.Context, tenant string, thread canonical.ThreadID, crm string, _, links map[string]string) error {
	l.calls = append(l.calls, fmt.Sprint(tenant, " ", thread, " ", crm, " ", links["contact"]))
	return l.err
}

// place is a connector with what it stands on.
type place struct {
	crm   *scripted
	links *linked
	out   *bytes.Buffer
	store *memstore.Store
	fault func(memstore.Call) memstore.Fault
	width int

	atOnce bool

	opener  plain
	watcher connector.Watcher

	mappings *connector.Mappings
}

func newPlace(steps ...step) *place {
	p := &place{crm: &scripted{steps: steps}, links: &linked{}, out: &bytes.Buffer{}, width: 1}
	p.store = memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if strings.HasPrefix(c.Keys[0].Sort, "delivery/") {
			p.crm.note("write")
		}
		if p.fault != nil {
			return p.fault(c)
		}
		return memstore.None
	}))
	return p
}

// connector returns a connector as a new process has it.
func (p *place) connector() *connector.Connector[string] {
	id := telemetry.Identity{Function: "Test", Version: "1"}
	locked := &lockedWriter{w: p.out}
	return connector.New(p.crm, connector.Options{
		Claims: p.claims(), Store: p.store, Opener: p.opener, Links: p.links, AtOnce: p.atOnce, Width: p.width, Attempt: 10 * time.Second, Watcher: p.watcher, Mappings: p.mappings,
		Logger: telemetry.NewLogger(locked, id), Meter: telemetry.NewMeter(locked, id),
	})
}

func (p *place) claims() *idempotency.Claims { return idempotency.New(p.store, 35*time.Second) }

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func deliveryOf(id string) delivery.Delivery {
	return delivery.Delivery{
		ID: delivery.ID(id), CRM: "toy",
		Event: canonical.Event{
			EventID: canonical.EventID(id), SchemaVersion: 2, TenantID: "demo", ThreadID: canonical.ThreadID("t1_" + id),
			Type: canonical.TypeMessage, Channel: canonical.SMS, Direction: canonical.Inbound, ConversationID: "sms:a:conv:1", Timestamp: time.Now(),
			ReceivedAt: time.Now().Add(-1500 * time.Millisecond), Message: &canonical.Message{Text: "Secret words"},
		},
		Actions: []delivery.Action{{Kind: delivery.LogActivity}},
	}
}

func heads(ds ...delivery.Delivery) []queue.Received {
	var batch []queue.Received
	for _, d := range ds {
		body, err := json.Marshal(d)
		if err != nil {
			panic(err)
		}
		batch = append(batch, queue.Received{
			Message: queue.Message{ID: string(d.ID), Group: string(d.Event.ThreadID), Body: body, Trace: "00-trace-01"}, Attempt: 1, FirstSent: time.Now(),
		})
	}
	return batch
}

func words(errs []error) string {
	var all []string
	for _, err := range errs {
		switch f := fault.Of(err); {
		case err == nil:
			all = append(all, "done")
		case errors.Is(err, queue.ErrNotStarted):
			all = append(all, "not begun")
		default:
			all = append(all, f.Kind.String()+" "+f.Code)
		}
	}
	return strings.Join(all, ", ")
}

func result(kv ...string) outcome {
	r := connector.Result{}
	for i := 0; i < len(kv); i += 2 {
		r[kv[i]] = kv[i+1]
	}
	return outcome{Result: r}
}
