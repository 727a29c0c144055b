package envelope_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

const private = "my number is +15550001111"

func ring() *keyring.Ring {
	return keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Persons: memstore.New(), Random: rand.Reader})
}

func event(id string) *canonical.Event {
	return &canonical.Event{TenantID: "demo", EventID: canonical.EventID(id), ReceivedAt: time.Now().UTC()}
}

func person(letter string) string { return strings.Repeat(letter, 64) }

// body is an event's or a delivery's JSON as far as it matters here.
func body(members string) []byte { return []byte(`{` + members + `,"text":"` + private + `"}`) }

func anEvent(t testing.TB, r *keyring.Ring, id string) []byte {
	t.Helper()
	out, err := envelope.Event(t.Context(), r, event(id), body(`"eventId":"`+id+`"`))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func aDelivery(t testing.TB, r *keyring.Ring, id, who string) []byte {
	t.Helper()
	d := delivery.Delivery{
		ID: delivery.NewID(canonical.EventID(id), `hub"spot`), CRM: `hub"spot`, Event: *event(id), Person: delivery.Person{Key: person(who)},
	}
	out, err := envelope.Delivery(t.Context(), r, &d, body(`"deliveryId":"`+id+`.hubspot","generation":0`))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inner remembers what it was handed.
type inner struct {
	bodies []string
	errs   map[string]error
}

func (i *inner) Handle(_ context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	for k, h := range heads {
		i.bodies = append(i.bodies, string(h.Body))
		errs[k] = i.errs[h.ID]
	}
	return errs
}

// opening returns a worker whose Handler opens for h.
func opening(r envelope.Opener, h queue.Handler, log io.Writer) *queue.Worker {
	id := telemetry.Identity{Function: "test", Version: "1"}
	w := &queue.Worker{Logger: telemetry.NewLogger(log, id), Meter: telemetry.NewMeter(log, id)}
	envelope.OpenFor(w, r, h)
	return w
}

func received(id string, body []byte) queue.Received {
	return queue.Received{Message: queue.Message{ID: id, Group: id, Body: body}}
}

func TestASealedBodyShowsWhatFindsItAndOpensAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		for name, sealed := range map[string][]byte{"event": anEvent(t, r, "e1"), "delivery": aDelivery(t, r, "e1", "a")} {
			var about struct {
				EventID, TenantID, CRM, DeliveryID string
				Event                              *struct{ EventID, TenantID, ReceivedAt string }
			}
			if err := json.Unmarshal(sealed, &about); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if about.Event != nil {
				about.EventID, about.TenantID = about.Event.EventID, about.Event.TenantID
			}
			if about.EventID != "e1" || about.TenantID != "demo" || name == "delivery" && about.CRM != `hub"spot` {
				t.Errorf("%s: %+v", name, about)
			}
			if bytes.Contains(sealed, []byte("5550001111")) {
				t.Errorf("%s: private text is in the clear", name)
			}
			plain, unsealed, err := envelope.Open(t.Context(), r, sealed)
			if err != nil || unsealed || !bytes.Contains(plain, []byte(private)) || !json.Valid(plain) {
				t.Errorf("%s: %s, %v", name, plain, err)
			}
		}
	})
}

func TestABuildFromBeforeSealingWaitsForANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		_, err := canonical.Decode(anEvent(t, r, "e1"))
		var d delivery.Delivery
		for _, err := range []error{err, json.Unmarshal(aDelivery(t, r, "e1", "a"), &d)} {
			if f := fault.Of(err); f == nil || f.Kind != fault.Retryable || f.Code != canonical.CodeVersionUnknown {
				t.Errorf("%v", err)
			}
		}
	})
}

func TestARedriveWritesTheGenerationWithoutOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		var members map[string]json.RawMessage
		if err := json.Unmarshal(aDelivery(t, r, "e1", "a"), &members); err != nil {
			t.Fatal(err)
		}
		members["generation"] = json.RawMessage("3")
		again, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		plain, _, err := envelope.Open(t.Context(), r, again)
		var d struct{ Generation int }
		if err != nil || json.Unmarshal(plain, &d) != nil || d.Generation != 3 {
			t.Errorf("%s, %v", plain, err)
		}
	})
}

func TestWhatOpensIsHandedOnAndTheRestAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		var log bytes.Buffer
		refused := errors.New("refused")
		in := &inner{errs: map[string]error{"refused": refused}}
		altered := bytes.Replace(anEvent(t, r, "e1"), []byte(`"eventId":"e1"`), []byte(`"eventId":"e2"`), 1)
		errs := opening(r, in, &log).Handler.Handle(t.Context(), []queue.Received{
			received("altered", altered), received("event", anEvent(t, r, "e1")), received("plain", []byte(`{"schemaVersion":2}`)),
			received("refused", aDelivery(t, r, "e1", "a")), received("cut", []byte(`{"schemaVersion":1001,`)),
		})
		if f := fault.Of(errs[0]); f.Code != keyring.CodeMalformed || f.Kind != fault.Permanent {
			t.Errorf("altered: %v", errs[0])
		}
		if errs[1] != nil || errs[2] != nil || !errors.Is(errs[3], refused) || fault.Of(errs[4]).Code != keyring.CodeMalformed {
			t.Errorf("%v", errs)
		}
		if len(in.bodies) != 3 || in.bodies[1] != `{"schemaVersion":2}` || !strings.Contains(in.bodies[0], private) {
			t.Errorf("handed on: %v", in.bodies)
		}
		if !strings.Contains(log.String(), "UnsealedBody") {
			t.Error("the plain body was not counted")
		}
	})
}

// sent collects dead letters.
type sent struct{ letters []queue.DeadLetter }

func (s *sent) Publish(_ context.Context, messages ...queue.Message) error {
	for _, m := range messages {
		letter, ok := queue.ParseDeadLetter(m)
		if !ok {
			return errors.New("no dead letter")
		}
		s.letters = append(s.letters, letter)
	}
	return nil
}

func TestOfARunNothingIsHandedOnBehindWhatDoesNotOpen(t *testing.T) {
	in := &inner{}
	o := opening(ring(), in, io.Discard)
	o.Runs = true
	heads := []queue.Received{received("a", body(`"n":1`)), received("a", []byte(`{"schemaVersion":1001,`)), received("b", body(`"n":3`)), received("a", body(`"n":4`))}
	errs := o.Handler.Handle(t.Context(), heads)
	if errs[0] != nil || fault.Of(errs[1]).Code != keyring.CodeMalformed || errs[2] != nil || !errors.Is(errs[3], queue.ErrNotStarted) || len(in.bodies) != 2 {
		t.Errorf("%v, %d handed on", errs, len(in.bodies))
	}
}

func TestWhatIsQueuedForAnErasedPersonBecomesADeadLetterWithoutContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		gone, stays := aDelivery(t, r, "e1", "a"), aDelivery(t, r, "e2", "b")
		found := received("e3", anEvent(t, r, "e3")) // whose handler finds out
		if err := r.DeletePerson(t.Context(), "demo", person("a")); err != nil {
			t.Fatal(err)
		}
		var dead sent
		in := &inner{errs: map[string]error{"e3": fault.New(fault.Permanent, keyring.CodeErased, nil)}}
		w := opening(r, in, io.Discard)
		w.Stage, w.DeadLetters, w.Random = "deliver-hubspot", &dead, func() float64 { return 0 }
		w.Patience, w.MessageTime = time.Hour, time.Minute
		for i, v := range w.Process(t.Context(), []queue.Received{received("e1", gone), received("e2", stays), found}) {
			if !v.Done {
				t.Errorf("message %d is retried", i)
			}
		}
		if len(in.bodies) != 2 || !strings.Contains(in.bodies[0], private) {
			t.Errorf("handed on: %v", in.bodies)
		}
		if len(dead.letters) != 2 {
			t.Fatalf("%d dead letters", len(dead.letters))
		}
		for _, letter := range dead.letters {
			if letter.Code != keyring.CodeErased || bytes.Contains(letter.Body, []byte("sealed")) || !json.Valid(letter.Body) ||
				!bytes.Contains(letter.Body, []byte(`"tenantId":"demo"`)) {
				t.Errorf("dead letter: %s %s", letter.Code, letter.Body)
			}
			if _, _, err := envelope.Open(t.Context(), r, letter.Body); fault.Of(err).Code != keyring.CodeErased {
				t.Errorf("put back: %v", err)
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	r := ring()
	f.Add(anEvent(f, r, "e1"))
	f.Add(aDelivery(f, r, "e1", "a"))
	f.Add([]byte(`{"schemaVersion":1001}`))
	f.Add([]byte(`{"event":{"schemaVersion":1001},"sealed":"AQ=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, unsealed, err := envelope.Open(t.Context(), r, data)
		switch {
		case unsealed && !bytes.Equal(plain, data):
			t.Error("a body that is not sealed was changed")
		case err != nil && fault.Of(err).Code == fault.CodeUnsorted:
			t.Errorf("nobody sorted %v", err)
		case err == nil && !unsealed && !bytes.Contains(plain, []byte(private)):
			t.Errorf("%q opens to %q", data, plain)
		}
	})
}

// panicking is an opener with a defect that one sealed value meets.
type panicking struct {
	*keyring.Ring
	at string
}

func (p panicking) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	if at.Name == p.at {
		panic("hunter2")
	}
	return p.Ring.Open(ctx, at, sealed)
}

// TestAPanicWhileOneIsOpenedIsItsOwn: in a goroutine of its own it took the process with it, and every message of the batch.
func TestAPanicWhileOneIsOpenedIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring()
		for _, bad := range []string{"e1", "e2"} { // in a goroutine, and in that of the batch
			var log bytes.Buffer
			in := &inner{}
			o := opening(panicking{r, bad}, in, &log)
			errs := o.Handler.Handle(t.Context(), []queue.Received{received("e1", anEvent(t, r, "e1")), received("e2", anEvent(t, r, "e2"))})
			for i, id := range []string{"e1", "e2"} {
				if f := fault.Of(errs[i]); (id == bad) != (f != nil && f.Code == queue.CodePanic) {
					t.Errorf("%s, when %s panics: %v", id, bad, errs[i])
				}
			}
			if len(in.bodies) != 1 || strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "recovered from a panic") {
				t.Errorf("handed on %d; the log is %s", len(in.bodies), log.String())
			}
		}
	})
}

// hanging opens nothing of one name before its time is over.
type hanging struct{ *keyring.Ring }

func (h hanging) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	if at.Name == "e1" {
		<-ctx.Done()
		return nil, fault.New(fault.Retryable, "keys_failed", ctx.Err())
	}
	return h.Ring.Open(ctx, at, sealed)
}

// timed is a handler that keeps how much time it was given.
type timed struct {
	inner
	left time.Duration
}

func (h *timed) Handle(ctx context.Context, heads []queue.Received) []error {
	deadline, _ := ctx.Deadline()
	h.left = time.Until(deadline)
	return h.inner.Handle(ctx, heads)
}

func TestAKeyThatHangsLeavesTheOthersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, in := ring(), &timed{}
		o := opening(hanging{r}, in, io.Discard)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		errs := o.Handler.Handle(ctx, []queue.Received{received("e1", anEvent(t, r, "e1")), received("e2", anEvent(t, r, "e2"))})
		if fault.Of(errs[0]) == nil || errs[1] != nil || len(in.bodies) != 1 || in.left != 10*time.Second {
			t.Errorf("%v; %d handed on with %s left", errs, len(in.bodies), in.left)
		}
	})
}

func TestASealedDeliverySaysWhereItGoes(t *testing.T) {
	t.Parallel()
	r := ring()
	sealed := aDelivery(t, r, "e1", "a")
	stripped := append(bytes.Clone(sealed[:bytes.LastIndex(sealed, []byte(`,"sealed"`))]), '}')
	for sentence, c := range map[string]struct {
		body []byte
		want envelope.Address
	}{
		"a delivery":                    {sealed, envelope.Address{Tenant: "demo", CRM: `hub"spot`, Event: "e1"}},
		"one without its content":       {stripped, envelope.Address{Tenant: "demo", CRM: `hub"spot`, Event: "e1"}},
		"an event":                      {anEvent(t, r, "e1"), envelope.Address{}},
		"a delivery that is not":        {body(`"deliveryId":"e1.hubspot","crm":"hubspot","event":{"schemaVersion":2,"tenantId":"demo","eventId":"e1"}`), envelope.Address{}},
		"half of one":                   {sealed[:60], envelope.Address{}},
		"one that names no tenant":      {bytes.Replace(sealed, []byte(`"demo"`), []byte(`""`), 1), envelope.Address{}},
		"nothing":                       {nil, envelope.Address{}},
		"a word that looks like a mark": {body(`"deliveryId":"\"schemaVersion\":1001"`), envelope.Address{}},
	} {
		if got, ok := envelope.AddressOf(c.body); got != c.want && ok || ok != (c.want != envelope.Address{}) {
			t.Errorf("%s: %+v, %t, want %+v", sentence, got, ok, c.want)
		}
	}
}
