package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	recorder "signalbox/functions/deadletter"
)

const eventID = "c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c"

func newWorker(s deadletter.Store, out *bytes.Buffer) *queue.Worker {
	id := telemetry.Identity{Function: "RecordDeadLetter", Version: "1"}
	logger, meter := telemetry.NewLogger(out, id), telemetry.NewMeter(out, id)
	return &queue.Worker{
		Stage: "dead-letters", Handler: recorder.NewRecorder(s, logger, meter), Patience: time.Hour, BlockedWait: 15 * time.Minute,
		BackoffMin: 2 * time.Second, BackoffMax: 15 * time.Minute, MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second,
		Random: func() float64 { return 0 }, Logger: logger, Meter: meter, Identity: id,
	}
}

// records returns the dead letters that are held.
func records(t *testing.T, s *memstore.Store) []deadletter.Record {
	t.Helper()
	var all []deadletter.Record
	for r := range s.All() {
		if strings.HasPrefix(r.Sort, "dead/") {
			rec, ok := deadletter.Read(r)
			if !ok || deadletter.Key(rec) != r.Key {
				t.Errorf("%v holds %s", r.Key, r.Data)
			}
			all = append(all, rec)
		}
	}
	return all
}

func TestWhatArrivesIsRecorded(t *testing.T) {
	event := []byte(`{"eventId":"` + eventID + `","tenantId":"demo","message":{"text":"Secret words"}}`)
	delivered := []byte(`{"deliveryId":"` + eventID + `.hubspot","crm":"hubspot","event":` + string(event) + `}`)
	letter, err := json.Marshal(queue.DeadLetter{
		ID: eventID + ".hubspot:1", Stage: "deliver-hubspot", Kind: "permanent", Code: "bad_row", Reason: "bad_row", Attempts: 3,
		First: time.Unix(100, 0).UTC(), Last: time.Unix(200, 0).UTC(), FunctionVersion: "7", Group: "t1_x", Generation: 1, Body: delivered,
	})
	if err != nil {
		t.Fatal(err)
	}
	toSales := bytes.Replace(delivered, []byte(`"crm":"hubspot"`), []byte(`"crm":"sales"`), 1)
	ofSales, err := json.Marshal(queue.DeadLetter{ // worked on by the function of its kind
		ID: eventID + ".sales", Stage: "deliver-hubspot", Kind: "blocked", Code: "crm_not_deployed", Reason: "crm_not_deployed", Attempts: 1,
		First: time.Unix(100, 0).UTC(), Last: time.Unix(200, 0).UTC(), Group: "t1_x", Body: toSales,
	})
	if err != nil {
		t.Fatal(err)
	}
	receipt := []byte(`{"eventId":"` + eventID + `","tenantId":"demo"}`)
	update := []byte(`{"tenantId":"demo","crm":"hubspot","key":"k","state":"read","eventId":"` + eventID + `"}`)
	standard := "5fea7756-0ea4-451a-a703-a558b933e274" // a standard queue says nothing but its own id of a message
	cases := map[string]struct {
		message queue.Message
		want    deadletter.Record
	}{
		"a worker's dead letter from a standard queue": {
			queue.Message{ID: standard, Group: "t1_x", Body: letter},
			deadletter.Record{
				ID: eventID + ".hubspot:1", Tenant: "demo", EventID: eventID, Stage: "deliver-hubspot", Kind: "permanent", Code: "bad_row", Reason: "bad_row",
				Attempts: 3, First: time.Unix(100, 0).UTC(), Last: time.Unix(200, 0).UTC(), FunctionVersion: "7", Group: "t1_x", Generation: 1, Body: delivered,
			},
		},
		"a receipt that the queue moved": {
			queue.Message{ID: standard, Group: "demo", Body: receipt},
			deadletter.Record{ID: standard, Tenant: "demo", EventID: eventID, Stage: "route-receipts", Kind: "exhausted", Code: "receives_exhausted", Group: "demo", Body: receipt},
		},
		"a status that the queue moved": {
			queue.Message{ID: standard, Group: "demo", Body: update},
			deadletter.Record{ID: standard, Tenant: "demo", EventID: eventID, Stage: "receipts-hubspot", Kind: "exhausted", Code: "receives_exhausted", Group: "demo", Body: update},
		},
		"a worker's dead letter": {
			queue.Message{ID: "dead:" + eventID + ".hubspot:1", Group: "t1_x", Body: letter},
			deadletter.Record{
				ID: eventID + ".hubspot:1", Tenant: "demo", EventID: eventID, Stage: "deliver-hubspot", Kind: "permanent", Code: "bad_row", Reason: "bad_row",
				Attempts: 3, First: time.Unix(100, 0).UTC(), Last: time.Unix(200, 0).UTC(), FunctionVersion: "7", Group: "t1_x", Generation: 1, Body: delivered,
			},
		},
		"a dead letter of a binding that is not called like its kind": {
			queue.Message{ID: "dead:" + eventID + ".sales", Group: "t1_x", Body: ofSales},
			deadletter.Record{
				ID: eventID + ".sales", Tenant: "demo", EventID: eventID, Stage: "deliver-sales", Kind: "blocked", Code: "crm_not_deployed", Reason: "crm_not_deployed",
				Attempts: 1, First: time.Unix(100, 0).UTC(), Last: time.Unix(200, 0).UTC(), Group: "t1_x", Body: toSales,
			},
		},
		"an event that the queue moved": {
			queue.Message{ID: eventID, Group: "t1_x", Body: event, Trace: "00-a-b-01"},
			deadletter.Record{ID: eventID, Tenant: "demo", EventID: eventID, Stage: "route", Kind: "exhausted", Code: "receives_exhausted", Group: "t1_x", Trace: "00-a-b-01", Body: event},
		},
		"a delivery that the queue moved": {
			queue.Message{ID: eventID + ".hubspot", Group: "t1_x", Body: delivered},
			deadletter.Record{ID: eventID + ".hubspot", Tenant: "demo", EventID: eventID, Stage: "deliver-hubspot", Kind: "exhausted", Code: "receives_exhausted", Group: "t1_x", Body: delivered},
		},
		"something that nobody can read": {
			queue.Message{ID: "x", Group: "g", Body: []byte("Secret words")},
			deadletter.Record{ID: "x", Tenant: "_", Stage: "unknown", Kind: "exhausted", Code: "receives_exhausted", Group: "g", Body: []byte("Secret words")},
		},
		"a body whose names are no names": {
			queue.Message{ID: "x", Group: "g", Body: []byte(`{"eventId":"e","tenantId":"../other","crm":"a/b","event":{"eventId":"e","tenantId":"de mo"}}`)},
			deadletter.Record{
				ID: "x", Tenant: "_", Stage: "unknown", Kind: "exhausted", Code: "receives_exhausted", Group: "g",
				Body: []byte(`{"eventId":"e","tenantId":"../other","crm":"a/b","event":{"eventId":"e","tenantId":"de mo"}}`),
			},
		},
		"a body that is half an event": {
			queue.Message{ID: "x", Group: "g", Body: []byte(`{"eventId":"e","tenantId":7}`)},
			deadletter.Record{ID: "x", Tenant: "_", Stage: "route", Kind: "exhausted", Code: "receives_exhausted", Group: "g", Body: []byte(`{"eventId":"e","tenantId":7}`)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, out := memstore.New(), &bytes.Buffer{}
				w := newWorker(s, out)
				head := queue.Received{Message: c.message, Attempt: 1, FirstSent: time.Now()}
				for range 2 { // it may come twice
					if v := w.Process(t.Context(), []queue.Received{head}); !v[0].Done {
						t.Fatalf("%+v: %s", v, out)
					}
					head.Attempt++
				}
				ignored := cmpopts.IgnoreFields(deadletter.Record{}, "First", "Last", "Attempts", "Reason")
				if c.want.FunctionVersion != "" {
					ignored = nil
				}
				var options []cmp.Option
				if ignored != nil {
					options = append(options, ignored)
				}
				if diff := cmp.Diff([]deadletter.Record{c.want}, records(t, s), options...); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(out.String(), `"DeadLetterRecorded":1`) || !strings.Contains(out.String(), `"kind":"`+c.want.Kind+`"`) {
					t.Errorf("not counted: %s", out)
				}
				if strings.Contains(out.String(), "Secret") {
					t.Errorf("a body was logged: %s", out)
				}
			})
		})
	}
}

// broken is a store that takes nothing.
type broken struct{ *memstore.Store }

func (broken) Write(context.Context, ...store.Change) ([]store.Record, error) {
	return nil, context.DeadlineExceeded
}

func TestWhatCannotBeRecordedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &bytes.Buffer{}
		w := newWorker(broken{memstore.New()}, out)
		head := queue.Received{Message: queue.Message{ID: "x", Group: "g", Body: []byte("x")}, Attempt: 1, FirstSent: time.Now().Add(-13 * 24 * time.Hour)}
		if v := w.Process(t.Context(), []queue.Received{head})[0]; v.Done || v.Wait == 0 {
			t.Errorf("%+v", v)
		}
	})
}

func FuzzRecorderKeepsWhateverArrives(f *testing.F) {
	f.Add("dead:x", []byte(`{"id":"x","stage":"route","body":"AA=="}`))
	f.Add("x", []byte(`{"event":{"eventId":"e","tenantId":"t"},"crm":"c"}`))
	f.Add("x", []byte(`{"event":null,"eventId":"e"}`))
	f.Fuzz(func(t *testing.T, id string, body []byte) {
		if id == "" || len(id) > 128 || strings.ToValidUTF8(id, "") != id {
			t.Skip("no queue takes such an id")
		}
		s := memstore.New()
		head := queue.Received{Message: queue.Message{ID: id, Group: "g", Body: body}, Attempt: 1, FirstSent: time.Now()}
		if v := newWorker(s, &bytes.Buffer{}).Process(t.Context(), []queue.Received{head}); !v[0].Done {
			t.Errorf("%+v", v)
		}
		if n := len(records(t, s)); n == 0 {
			t.Error("nothing was recorded")
		}
	})
}
