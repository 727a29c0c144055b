package router_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/receipt"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// letters is a queue of dead letters.
type letters struct {
	err  error
	held []queue.DeadLetter
}

func (l *letters) Publish(_ context.Context, messages ...queue.Message) error {
	for _, m := range messages {
		letter, ok := queue.ParseDeadLetter(m)
		if !ok || m.ID != queue.DeadLetterID(letter.ID) || m.Group != letter.Group {
			return fault.New(fault.Permanent, "no_dead_letter", nil)
		}
		if l.err == nil {
			l.held = append(l.held, letter)
		}
	}
	return l.err
}

// missing is a way for a CRM of a tenant to have no queue.
type missing struct {
	change func(*world)
	code   string
}

func waysToBeMissing() map[string]missing {
	return map[string]missing{
		"its kind is none of this deployment's": {func(w *world) { w.tenant.CRMs[0].Kind = "hubspt" }, router.CodeCRM},
		"its queue is not there": {func(w *world) {
			w.fail = func(m queue.Message) error {
				if slices.Contains(w.missing, m.ID) {
					return fault.New(fault.Retryable, queue.CodeMissing, nil)
				}
				return nil
			}
		}, queue.CodeMissing},
	}
}

// TestOneCRMsMissingQueueHoldsNobodyElse is what a mistyped kind once did: it stopped its tenant in every CRM for a day.
func TestOneCRMsMissingQueueHoldsNobodyElse(t *testing.T) {
	t.Parallel()
	for name, way := range waysToBeMissing() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.tenant.CRMs = []tenant.CRM{{Name: "first", Kind: "hubspot"}, {Name: "sales", Kind: "salesforce"}}
			e := event("Interested", nil)
			lost := string(delivery.NewID(e.EventID, "first"))
			w.missing = []string{lost}
			way.change(w)
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatalf("the event is not finished: %v", err)
			}
			if ids := w.sentIDs(); !slices.Equal(ids, []string{string(delivery.NewID(e.EventID, "sales"))}) {
				t.Errorf("sent %v", ids)
			}
			if len(w.letters.held) != 1 {
				t.Fatalf("%d dead letters", len(w.letters.held))
			}
			got := w.letters.held[0]
			if got.ID != lost || got.Stage != "deliver-first" || got.Kind != "blocked" || got.Code != way.code || got.Group != string(e.ThreadID) {
				t.Errorf("the dead letter is %+v", got)
			}
			var d delivery.Delivery
			if err := json.Unmarshal(w.opened(t, got.Body), &d); err != nil || d.CRM != "first" || d.Event.EventID != e.EventID {
				t.Errorf("its body is %s, %v", got.Body, err)
			}
		})
	}
}

// inOrder is a queue as package inorder sends to it.
type inOrder inorder.Send

func (send inOrder) Publish(ctx context.Context, messages ...queue.Message) error {
	return inorder.Publish(ctx, messages, inorder.Send(send))
}

// TestARunWithoutAQueueIsGivenUpTogether: what is held back behind a message without a queue has none either.
func TestARunWithoutAQueueIsGivenUpTogether(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.router.Deliveries = map[string]queue.Publisher{w.tenant.CRMs[0].Kind: inOrder(func(context.Context, []queue.Message) ([]error, error) {
		return nil, fault.New(fault.Blocked, queue.CodeMissing, nil)
	})}
	for i, err := range w.router.Handle(t.Context(), run(t, "a", "b", "c", "d")) {
		if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if len(w.letters.held) != 4 {
		t.Errorf("%d dead letters", len(w.letters.held))
	}
}

func TestADeadLetterThatIsNotTakenKeepsTheEvent(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.tenant.CRMs[0].Kind, w.letters.err = "hubspt", fault.New(fault.Retryable, "queue_failed", nil)
	if err := w.route(t, message(t, event("hello", nil))); err == nil || fault.Of(err).Code != "queue_failed" {
		t.Errorf("%v", err)
	}
}

// TestTheKindIsTheOneInForce: a decision names a binding. What kind it is of is said by the newest configuration that is known,
// so that correcting a file frees what waits.
func TestTheKindIsTheOneInForce(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*tenant.Tenant) // between the decision and its repeat
		sent   bool
		code   string
	}{
		"the file was corrected":        {func(n *tenant.Tenant) { n.CRMs[0].Kind, n.Version = "hubspot", 8 }, true, ""},
		"the binding was removed":       {func(n *tenant.Tenant) { n.CRMs, n.Version = nil, 8 }, false, deadletter.CodeUnbound},
		"this process knows less of it": {func(n *tenant.Tenant) { n.CRMs, n.Version = nil, 6 }, false, router.CodeCRM}, // than the one that decided
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.tenant.CRMs[0].Kind, w.letters.err = "hubspt", fault.New(fault.Retryable, "queue_failed", nil)
			m := message(t, event("hello", nil))
			_ = w.route(t, m)
			tt.change(&w.tenant)
			w.letters.err = nil
			if err := w.route(t, m); err != nil {
				t.Fatal(err)
			}
			if (len(w.sent) == 1) != tt.sent {
				t.Errorf("sent %v", w.sentIDs())
			}
			code := ""
			for _, l := range w.letters.held {
				code += l.Code
			}
			if code != tt.code {
				t.Errorf("dead letters of %q, want %q", code, tt.code)
			}
		})
	}
}

func TestOneCRMsMissingReceiptsQueueHoldsNobodyElse(t *testing.T) {
	t.Parallel()
	for name, way := range waysToBeMissing() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.tenant.CRMs = []tenant.CRM{{Name: "first", Kind: "hubspot"}, {Name: "sales", Kind: "salesforce"}}
			e := receiptOf("SM1", "read")
			w.missing = []string{string(delivery.NewID(e.EventID, "first"))}
			way.change(w)
			if err := w.receive(t, e)[0]; err != nil {
				t.Fatalf("the receipt is not finished: %v", err)
			}
			if diff := cmp.Diff([]string{"sales SM1 read"}, w.told(t)); diff != "" {
				t.Error(diff)
			}
			if len(w.letters.held) != 1 {
				t.Fatalf("%d dead letters", len(w.letters.held))
			}
			var u receipt.Update
			got := w.letters.held[0]
			if err := json.Unmarshal(got.Body, &u); err != nil || u.CRM != "first" || u.Key != canonical.MessageKey("demo", "twilio", "demo-twilio", "SM1") {
				t.Errorf("its body is %s, %v", got.Body, err)
			}
			if got.Stage != "receipts-first" || got.Kind != "blocked" || got.Code != way.code {
				t.Errorf("the dead letter is %+v", got)
			}
		})
	}
}

// TestADeadLetterThatIsWrittenAgainIsTheSame: it is, at every receive that another CRM's failing queue causes, and the recorder
// knows one dead letter by its time.
func TestADeadLetterThatIsWrittenAgainIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.tenant.CRMs = []tenant.CRM{{Name: "first", Kind: "hubspt"}, {Name: "sales", Kind: "salesforce"}}
		w.fail = func(queue.Message) error { return fault.New(fault.Retryable, "queue_failed", nil) }
		m := message(t, event("Interested", nil))
		for m.Attempt = 1; m.Attempt <= 2; m.Attempt++ {
			if err := w.route(t, m); err == nil {
				t.Fatal("the other CRM's delivery is lost")
			}
			time.Sleep(time.Minute)
		}
		if got := w.letters.held; len(got) != 2 || got[0].Last.IsZero() || !got[0].Last.Equal(got[1].Last) {
			t.Errorf("given up at different times: %+v", got)
		}
	})
}
