package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/deadletter"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// spoiled is a channel that cannot parse, as it was before it was mended.
type spoiled struct{ batch }

func (spoiled) Decode(w Webhook) Content { return unreadable{list{w}} }

// unreadable is a webhook of spoiled.
type unreadable struct{ list }

func (unreadable) Parse() ([]Parsed, error) { panic("a defect, and +15551234567") }

func TestReparse(t *testing.T) {
	long := `["one"` + strings.Repeat(" ", 700<<10) + `,"two"]` // four parts
	for name, c := range map[string]struct {
		body    string
		change  func(t *testing.T, ring *keyring.Ring, bytes *memstore.Store, letter deadletter.Record)
		refused bool // by the queue and the spool
		action  string
		outcome redrive.Outcome
		code    string
		sent    []string // addresses of the events
		state   deadletter.State
	}{
		"a defect that was mended":                {body: `["one","two"]`, outcome: redrive.Redriven, sent: []string{"one", "two"}, state: deadletter.Redriven},
		"a plan sends nothing":                    {body: `["one"]`, action: redrive.Plan, outcome: redrive.Ready, code: "panic"},
		"a webhook in parts":                      {body: long, outcome: redrive.Redriven, sent: []string{"one", "two"}, state: deadletter.Redriven},
		"an address that is still nobody's":       {body: `["one","none"]`, outcome: redrive.Failed, code: CodeUnowned, sent: []string{"one"}},
		"a plan of one that is still nobody's":    {body: `["one","none"]`, action: redrive.Plan, outcome: redrive.Failed, code: CodeUnowned},
		"what still cannot be read":               {body: `{`, outcome: redrive.Failed, code: "json_malformed"},
		"what looks like a ticket":                {body: `{"schemaVersion":1002,"apart":{"object":"large/`, outcome: redrive.Failed, code: "json_malformed"},
		"nothing durable takes it":                {body: `["one"]`, refused: true, outcome: redrive.Failed, code: "unsorted"},
		"bytes of which a part is gone":           {body: long, change: remove("part/0001"), outcome: redrive.Failed, code: CodeBytes},
		"bytes that are gone":                     {body: `["one"]`, change: remove("head"), outcome: redrive.Failed, code: CodeBytes},
		"an account that is not configured":       {body: `["one"]`, change: head("account", "gone"), outcome: redrive.Failed, code: CodeAccount},
		"another provider's":                      {body: `["one"]`, change: head("provider", "other"), outcome: redrive.Failed, code: CodeProvider},
		"a kind of webhook that is none any more": {body: `["one"]`, change: head("path", "/v1/accounts/shared/batch/gone"), outcome: redrive.Failed, code: CodeProvider},
	} {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			id := telemetry.Identity{Function: "BatchReparse", Version: "1"}
			ring, spool, state, known := keyringtest.New(), memstore.New(), memstore.New(), &directory{}
			kept := memobjects.New()
			sealer := claimcheck.New(ring, kept)
			var sent []queue.Message
			events := publisher(func(all []queue.Message) error {
				if c.refused {
					return errors.New("refused")
				}
				sent = append(sent, all...)
				return nil
			})
			var waits queue.Publisher = NewSpool(spool)
			if c.refused {
				waits = events
			}
			parts := Parts{
				Channel: spoiled{}, Directory: known, Peppers: known, Sinks: Sinks(events, waits),
				DeadLetters: NewDeadLetters(sealer, spool, state, "1"), Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
			}
			received := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
			New(sealer, parts).Receive(t.Context(), webhook.Request{
				Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(c.body), Received: received,
			})
			letter := only(t, state)
			if c.change != nil {
				c.change(t, ring, spool, letter)
			}
			parts.Channel = batch{}
			reparser := NewReparser(New(sealer, parts), state, spool)
			q := redrive.Common{Action: c.action, Tenant: "first", IDs: []string{letter.ID, "nowhere"}, By: "ops", Reason: "ticket 7"}
			if q.Action == "" {
				q.Action = redrive.Redrive
			}
			answer, err := reparser.Reparse(t.Context(), q)
			if err != nil || len(answer.Items) != 2 || answer.Counts[redrive.Missing] != 1 {
				t.Fatalf("%v %+v", err, answer)
			}
			if item := answer.Items[1]; item.Outcome != c.outcome || item.Code != c.code {
				t.Errorf("%+v", item)
			}
			var addresses []string
			for _, m := range sent {
				var e canonical.Event
				if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
					t.Fatal(err)
				}
				addresses = append(addresses, e.LineID)
				if m.ID != string(e.EventID)+":1" || m.Group != string(e.ThreadID) || !e.ReceivedAt.Equal(received) {
					t.Errorf("sent %s of %s, received at %v", m.ID, m.Group, e.ReceivedAt)
				}
			}
			if diff := cmp.Diff(c.sent, addresses); diff != "" {
				t.Errorf("sent (-want +got): %s", diff)
			}
			if names := kept.Names(); c.body == long && len(names) > 0 {
				t.Errorf("apart is %q", names)
			}
			if after := only(t, state); after.State != c.state {
				t.Errorf("the dead letter is %q", after.State)
			}
			if log := output.String(); strings.Contains(log, "+1555") || c.action == "" && !strings.Contains(log, "ticket 7") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

func TestReparseIsRefused(t *testing.T) {
	id := telemetry.Identity{Function: "BatchReparse", Version: "1"}
	a := New(nil, Parts{Channel: batch{}, Logger: telemetry.NewLogger(&bytes.Buffer{}, id), Meter: telemetry.NewMeter(&bytes.Buffer{}, id)})
	reparser := NewReparser(a, memstore.New(), memstore.New())
	for name, q := range map[string]redrive.Common{
		"without ids":    {Action: redrive.Plan, Tenant: "first"},
		"without a name": {Action: redrive.Redrive, Tenant: "first", IDs: []string{"a"}, Reason: "ticket 7"},
		"to replay":      {Action: redrive.Replay, Tenant: "first", IDs: []string{"a"}, By: "ops", Reason: "ticket 7"},
	} {
		if answer, err := reparser.Reparse(t.Context(), q); err != nil || len(answer.Problems) != 1 {
			t.Errorf("%s: %v %+v", name, err, answer)
		}
	}
}

// only returns the one dead letter that is held.
func only(t *testing.T, state *memstore.Store) (letter deadletter.Record) {
	t.Helper()
	found := 0
	for r := range state.All() {
		if strings.HasPrefix(r.Sort, "dead/") {
			letter, _ = deadletter.Read(r)
			found++
		}
	}
	if found != 1 {
		t.Fatalf("%d dead letters", found)
	}
	return letter
}

// remove takes a record of the received bytes away.
func remove(sort string) func(*testing.T, *keyring.Ring, *memstore.Store, deadletter.Record) {
	return func(t *testing.T, _ *keyring.Ring, s *memstore.Store, letter deadletter.Record) {
		t.Helper()
		held, err := s.Get(t.Context(), store.Key{Partition: letter.BytesKey, Sort: sort})
		if err != nil || held[0].Version == 0 {
			t.Fatal(err, held)
		}
		if _, err := s.Write(t.Context(), store.Change{Kind: store.Delete, Record: held[0]}); err != nil {
			t.Fatal(err)
		}
	}
}

// head changes what is kept of a request beside its body.
func head(field, value string) func(*testing.T, *keyring.Ring, *memstore.Store, deadletter.Record) {
	return func(t *testing.T, ring *keyring.Ring, s *memstore.Store, letter deadletter.Record) {
		t.Helper()
		held, err := s.Get(t.Context(), store.Key{Partition: letter.BytesKey, Sort: "head"})
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		at := sealedFor(letter, headSort)
		plain, err := ring.Open(t.Context(), at, held[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, &fields); err != nil || fields[field] == nil {
			t.Fatal(err, fields)
		}
		fields[field] = value
		if plain, err = json.Marshal(fields); err != nil {
			t.Fatal(err)
		}
		if held[0].Data, err = ring.SealTenant(t.Context(), at, plain); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: held[0]}); err != nil {
			t.Fatal(err)
		}
	}
}
