package router_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/audit"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/identity"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// office is a router between two queues, an adapter's choice of thread before it, and behind it a CRM of one kind of record: what it
// makes of deliveries is what a CRM would that knows persons by their keys and by links alone.
type office struct {
	t                     *testing.T
	w                     *world
	state                 *memstore.Store
	events, deliver, dead *memqueue.Queue
	worker                *queue.Worker
	pepper                canonical.Pepper
	failing               bool
	random                *rand.Rand

	leads     map[string]string // by person key
	made      int
	delivered map[string]bool
	shown     []delivery.Delivery
}

func newOffice(t *testing.T, random *rand.Rand) *office {
	w := newWorld()
	o := &office{t: t, w: w, random: random, pepper: canonical.NewPepper(secret.Value("local-use-only-pepper"), "demo"), leads: map[string]string{}, delivered: map[string]bool{}}
	dice := make(chan *rand.Rand, 1)
	dice <- random
	roll := func(n int) int {
		r := <-dice
		defer func() { dice <- r }()
		return r.IntN(n)
	}
	o.state = memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		claims := len(c.Keys) > 0 && c.Keys[0].Sort == idempotency.RouteClaim // a router that dies over one is another test
		if !o.failing || claims || roll(10) > 0 {
			return memstore.None
		}
		return [...]memstore.Fault{memstore.Throttled, memstore.Before, memstore.After}[roll(3)]
	}))
	o.events, o.deliver, o.dead = memqueue.New(memqueue.Options{Name: "events"}), memqueue.New(memqueue.Options{Name: "deliver"}), memqueue.New(memqueue.Options{Name: "dead"})
	lossy := func(c memqueue.Call) memqueue.Fault {
		down := fault.New(fault.Retryable, "queue_failed", nil)
		if !o.failing {
			return memqueue.Fault{}
		}
		switch roll(12) {
		case 0:
			return memqueue.Fault{Before: down}
		case 1:
			return memqueue.Fault{After: down}
		default:
			return memqueue.Fault{}
		}
	}
	o.deliver.Inject(lossy)
	logger, meter := telemetry.NewLogger(io.Discard, telemetry.Identity{}), telemetry.NewMeter(io.Discard, telemetry.Identity{})
	o.worker = &queue.Worker{
		Runs: true, Stage: "route", DeadLetters: o.dead, Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute, BackoffMin: 2 * time.Second, BackoffMax: time.Minute,
		MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second, Random: func() float64 { return float64(roll(1000)) / 1000 }, Logger: logger, Meter: meter,
	}
	envelope.OpenFor(o.worker, w.ring, router.New(w.ring, router.Parts{
		Store: o.state, Log: o.state, Tenants: w, Peppers: w, Engine: rules.Ordered{}, Claims: idempotency.New(o.state, 35*time.Second), Events: flaky{o.events, roll, &o.failing},
		Outbox: router.Outbox{Deliveries: map[string]queue.Publisher{"hubspot": o.deliver}, DeadLetters: o.dead, Version: "1", Logger: logger, Meter: meter},
	}))
	return o
}

// flaky is a queue that refuses now and then, or takes what it is sent and says that it did not.
type flaky struct {
	queue.Publisher
	roll    func(int) int
	failing *bool
}

func (f flaky) Publish(ctx context.Context, messages ...queue.Message) error {
	down := fault.New(fault.Retryable, "queue_failed", nil)
	chance := 2
	if *f.failing {
		chance = f.roll(8)
	}
	if chance == 0 {
		return down
	}
	if err := f.Publisher.Publish(ctx, messages...); err != nil || chance != 1 {
		return err
	}
	return down
}

// receive is what an adapter does with an event: the thread of the phone number, the one that an alias leads to, or the identifier's own.
func (o *office) receive(e canonical.Event) {
	o.t.Helper()
	customer := e.Customer()
	name := customer.Phone
	if name == "" {
		name = customer.ID
	}
	e.ThreadID = canonical.NewThreadID(o.pepper, name)
	if customer.Phone == "" && e.Type != canonical.TypeIdentity {
		o.failing = false
		thread, err := identity.Lookup(o.t.Context(), o.state, "demo", o.pepper, identity.Of(customer))
		if err != nil {
			o.t.Fatal(err)
		}
		if thread != "" {
			e.ThreadID = thread
		}
	}
	if err := o.events.Publish(o.t.Context(), message(o.t, e).Message); err != nil {
		o.t.Fatal(err)
	}
}

// drain lets the router and the CRM work until there is nothing to do.
func (o *office) drain() {
	o.t.Helper()
	for began := time.Now(); time.Since(began) < 12*time.Hour; {
		if !workOnce(o.t, o.worker, o.events) {
			break
		}
		if o.random.IntN(2) == 0 {
			o.deliverAll()
		}
	}
	o.deliverAll()
	for held := range o.dead.All() {
		o.t.Fatalf("a dead letter: %s", held.Body)
	}
}

// deliverAll carries out what waits, in the order of each group.
func (o *office) deliverAll() {
	o.t.Helper()
	failing := o.failing
	o.failing = false
	defer func() { o.failing = failing }()
	for o.deliver.Counters().Visible > 0 {
		batch, err := o.deliver.Receive(o.t.Context(), memqueue.Request{Max: 10})
		if err != nil {
			o.t.Fatal(err)
		}
		for _, m := range batch {
			var d delivery.Delivery
			if err := json.Unmarshal(o.w.opened(o.t, m.Body), &d); err != nil {
				o.t.Fatal(err)
			}
			if !o.delivered[string(d.ID)] {
				o.delivered[string(d.ID)] = true
				o.carryOut(d)
			}
			if _, err := o.deliver.Delete(o.t.Context(), m.ReceiptHandle); err != nil {
				o.t.Fatal(err)
			}
		}
	}
}

func (o *office) carryOut(d delivery.Delivery) {
	o.t.Helper()
	work := idempotency.New(o.state, 35*time.Second)
	key := store.Key{Partition: "demo/event/" + string(d.Event.EventID), Sort: idempotency.DeliveryClaims + d.CRM}
	claims, errs := work.ClaimAll(o.t.Context(), []idempotency.Wanted{{Key: key, MaxUnfinished: idempotency.MaxUnfinished}})
	if errs[0] != nil {
		o.t.Fatal(errs[0])
	}
	lead := d.Person.Links["contact"]
	if lead == "" {
		lead = o.leads[d.Person.Key]
	}
	creates := slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return a.Kind == delivery.EnsurePerson || a.Kind == delivery.LogActivity })
	if lead == "" && creates {
		o.made++
		lead = fmt.Sprint("lead ", o.made)
		o.leads[d.Person.Key] = lead
	}
	if lead != "" && d.Person.Links["contact"] != lead {
		if err := conversation.Link(o.t.Context(), o.state, "demo", d.Event.ThreadID, d.CRM, d.Person.Links, map[string]string{"contact": lead}); err != nil {
			o.t.Fatal(err)
		}
	}
	o.shown = append(o.shown, d)
	if err := work.Complete(o.t.Context(), claims[0]); err != nil {
		o.t.Fatal(err)
	}
}

// home returns the thread that a person's name leads to in the end, and its head.
func (o *office) home(name string) (canonical.ThreadID, conversation.Head) {
	o.t.Helper()
	return o.follow(canonical.NewThreadID(o.pepper, name))
}

func (o *office) follow(thread canonical.ThreadID) (canonical.ThreadID, conversation.Head) {
	o.t.Helper()
	for {
		held, err := o.state.Get(o.t.Context(), conversation.Key("demo", thread))
		if err != nil {
			o.t.Fatal(err)
		}
		head, err := conversation.Decode(held[0].Data)
		if err != nil {
			o.t.Fatal(err)
		}
		if head.Joined == nil {
			return thread, head
		}
		thread = head.Joined.Thread
	}
}

func (o *office) joins() int {
	o.t.Helper()
	entries, err := audit.Of(o.state, "demo", "identity").Entries(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return len(entries)
}

// The identifiers of one person, and of a stranger.
const (
	phone, phone2   = "+15552010001", "+15552010002"
	user, user2     = "US.900100200300401", "US.900100200300402"
	user3           = "US.900100200300403"
	mail, strangers = "ana@example.com", "+15552010009"
)

func bsuid(value string) canonical.Identifier {
	return canonical.Identifier{Kind: canonical.KindBSUID, Scope: "AC1", Value: value}
}

func number(value string) canonical.Identifier {
	return canonical.Identifier{Kind: canonical.KindPhone, Value: value}
}

// says returns a message of a person by what a webhook names.
func says(id string, minute int, text string, channel canonical.Channel, from canonical.Participant) canonical.Event {
	return event(text, func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", id)
		e.ProviderMessageID, e.Channel, e.Sender = id, channel, from
		e.ConversationID = string(channel) + ":demo-twilio:conv:1"
		e.Timestamp = at.Add(time.Duration(minute) * time.Minute)
		e.ReceivedAt = e.Timestamp
	})
}

func byUser(value string) canonical.Participant {
	return canonical.Participant{ID: "whatsapp:" + value, Identifiers: []canonical.Identifier{bsuid(value)}}
}

func byBoth(phone, value string) canonical.Participant {
	return canonical.Participant{ID: "whatsapp:" + value, Phone: phone, Identifiers: []canonical.Identifier{bsuid(value)}}
}

// changes returns the provider's word that identifiers took the place of others.
func changes(id string, minute int, reason string, from canonical.Participant, previous, current []canonical.Identifier) canonical.Event {
	e := says(id, minute, "", canonical.WhatsApp, from)
	e.Type, e.Message = canonical.TypeIdentity, nil
	e.Identity = &canonical.Identity{Reason: reason, Previous: previous, Current: current}
	return e
}

// onePerson is everything that one person sends and what is told of them, in the order of its times. Any order of arrival is one person's.
func onePerson() []canonical.Event {
	return []canonical.Event{
		says("phone", 0, "hello", canonical.SMS, canonical.Participant{Phone: phone}),
		says("both", 1, "hello on WhatsApp", canonical.WhatsApp, byBoth(phone, user)),
		says("stop", 2, "stop", canonical.WhatsApp, byUser(user)),
		changes("rotated", 3, canonical.Rotated, byUser(user2), []canonical.Identifier{bsuid(user)}, []canonical.Identifier{bsuid(user2)}),
		says("user2", 4, "start", canonical.WhatsApp, byUser(user2)),
		says("rcs", 5, "and by RCS", canonical.RCS, canonical.Participant{Phone: phone}),
		says("mail", 6, "my address too", canonical.Web, canonical.Participant{Phone: phone, Identifiers: []canonical.Identifier{{Kind: canonical.KindEmail, Value: mail}}}),
		changes("moved", 7, canonical.NumberChanged, byBoth(phone2, user3), []canonical.Identifier{number(phone), bsuid(user2)}, []canonical.Identifier{number(phone2), bsuid(user3)}),
		says("phone2", 8, "my new number", canonical.SMS, canonical.Participant{Phone: phone2}),
		says("user3", 9, "still me", canonical.WhatsApp, byUser(user3)),
	}
}

// checkOne fails unless everything that a person is known by leads to one thread that knows one key, one consent and all that was said.
func (o *office) checkOne(events []canonical.Event) {
	o.t.Helper()
	root, head := o.home(phone)
	for _, name := range []string{"whatsapp:" + user, "whatsapp:" + user2, phone2, "whatsapp:" + user3} {
		if thread, _ := o.home(name); thread != root && !o.leadsTo(name, root) {
			o.t.Errorf("%s leads to %s, not to %s", name, thread, root)
		}
	}
	for name, want := range map[string]consent.Verdict{user: consent.Denied, user2: consent.Allowed, user3: consent.Denied} {
		held, err := consent.Read(o.t.Context(), o.state, consent.NewSubject(o.pepper, "demo", byUser(name).ID, head.PersonKey, false))
		if err != nil {
			o.t.Fatal(err)
		}
		now := consent.DefaultPolicy().May(held.Address, held.Person, consent.Question{Channel: canonical.WhatsApp, Purpose: consent.Messaging})
		if now.Verdict != want {
			o.t.Errorf("a stop is of the person, a start of what it came by: %s is %+v, want %s", name, now, want)
		}
	}
	if head.Consent[canonical.WhatsApp].State != consent.OptedIn {
		o.t.Errorf("the newest of stop and start is start: the head says %+v", head.Consent)
	}
	made := o.made
	for n, from := range []canonical.Participant{{Phone: phone2}, byUser(user), byUser(user2), byUser(user3), byBoth(phone2, user3)} {
		e := says(fmt.Sprint("after", n), 20+n, "and now?", canonical.WhatsApp, from)
		o.receive(e)
		o.drain()
		last := o.shown[len(o.shown)-1]
		if last.Event.EventID != e.EventID || last.Event.ThreadID != root || last.Person.Key != head.PersonKey {
			o.t.Errorf("by %v: it is of %s with the key %.8s, not of %s with %.8s", from, last.Event.ThreadID, last.Person.Key, root, head.PersonKey)
		}
	}
	if o.made != made {
		o.t.Errorf("%d further leads", o.made-made)
	}
	if duplicates := len(head.Duplicates["hubspot"]); o.made-duplicates > 1 {
		o.t.Errorf("%d leads, of which the head names %d beside its own", o.made, duplicates)
	}
	stranger := says("stranger", 60, "who is this?", canonical.SMS, canonical.Participant{Phone: phone})
	o.receive(stranger)
	o.drain()
	if last := o.shown[len(o.shown)-1]; last.Event.ThreadID == root || last.Person.Key == head.PersonKey || len(last.Person.Links) > 0 {
		o.t.Errorf("who has the number now is of the thread of who had it: %+v", last.Person)
	}
}

// leadsTo reports whether an alias leads to a thread.
func (o *office) leadsTo(name string, root canonical.ThreadID) bool {
	o.t.Helper()
	held, err := o.state.Get(o.t.Context(), identity.Key("demo", canonical.AliasID(o.pepper, bsuid(strings.TrimPrefix(name, "whatsapp:")))))
	if err != nil || held[0].Version == 0 {
		return false
	}
	a, err := identity.Decode(held[0].Data)
	if err != nil {
		o.t.Fatal(err)
	}
	thread, _ := o.follow(a.Thread)
	return thread == root
}

// TestOnePersonStaysOneInEveryOrder lets what one person sends arrive in any order, one after another or all at once, some of it twice,
// while stores and queues fail: it ends with one person, no further lead, the newest consent and the order of each identifier.
func TestOnePersonStaysOneInEveryOrder(t *testing.T) {
	t.Parallel()
	const runs = 300
	for seed := range uint64(runs) {
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 9))
				o := newOffice(t, random)
				if seed%3 == 0 {
					o.w.tenant.Timeline = tenant.DefaultTimeline()
				}
				events := onePerson()
				random.Shuffle(len(events), func(i, k int) { events[i], events[k] = events[k], events[i] })
				again := slices.Clone(events[:random.IntN(3)])
				atOnce, failing, settled := seed%2 == 0, seed%4 < 2, seed%8 == 7
				for _, e := range slices.Concat(events, again) {
					o.receive(e)
					o.failing = failing
					if !atOnce {
						o.drain()
					}
					if settled {
						time.Sleep(25 * time.Hour)
					}
				}
				o.failing = failing
				o.drain()
				o.failing = false
				o.checkOne(events)
				o.checkShown()
			})
		})
		if !ok {
			break
		}
	}
}
