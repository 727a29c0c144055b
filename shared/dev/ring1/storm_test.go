package ring1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/race"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// The times a call takes in a storm. They are models, near what such calls take inside one Region, and virtual.
const (
	storeTakes  = 6 * time.Millisecond
	queueTakes  = 12 * time.Millisecond
	portalTakes = 180 * time.Millisecond
	batchTakes  = 500 * time.Millisecond // of up to a hundred rows
)

// burst is a limit of the CRM's. Live messages and receipts share it.
const burst = 100

// storm is the load: live messages all along, and receipts of messages that were sent before in the first part of it.
type storm struct {
	receipts int
	messages int           // the receipts are about, five each
	over     time.Duration // they come
	live     int           // messages that are received meanwhile
	every    time.Duration // one of them
}

// outcome is what a storm did to live messages, and what it cost.
type outcome struct {
	p50, p95 time.Duration
	calls    int // to the portal, for receipts
	shown    map[string]string
	key      func(n int) string
	took     time.Duration // until the last receipt was shown
}

// slow is the portal with the time that its calls take.
type slow struct {
	portal http.RoundTripper
	takes  time.Duration
	calls  atomic.Int64
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.calls.Add(1)
	time.Sleep(s.takes)
	return s.portal.RoundTrip(r)
}

// TestAStormOfReceiptsDelaysNoLiveMessage compares the time from a webhook to the CRM with and without 300,000 receipts that
// come meanwhile, while another tenant's CRM is down. Both lanes share the store, the portal and the portal's limit.
func TestAStormOfReceiptsDelaysNoLiveMessage(t *testing.T) {
	s := storm{receipts: 300_000, messages: 60_000, over: 100 * time.Second, live: 600, every: 500 * time.Millisecond}
	if testing.Short() || race.Enabled {
		t.Log("SMALLER: 9,000 receipts in 30 s instead of 300,000 in 100 s, under -short or -race")
		s.receipts, s.messages, s.over, s.live = 9_000, 1_800, 30*time.Second, 180
	}
	calm := s
	calm.receipts, calm.messages = 0, 0
	without, with := calm.blow(t), s.blow(t)
	perReceipt := float64(with.calls) / float64(s.receipts)
	t.Logf("live p50 %v and p95 %v without, %v and %v with %d receipts; %d CRM calls for them, %.4f each; all shown after %v",
		without.p50, without.p95, with.p50, with.p95, s.receipts, with.calls, perReceipt, with.took)
	if with.p95 > without.p95*6/5 {
		t.Errorf("live p95 rises from %v to %v", without.p95, with.p95)
	}
	if perReceipt > 0.05 {
		t.Errorf("%.4f CRM calls a receipt, the bar is 0.05", perReceipt)
	}
	for n := range s.messages {
		if got := with.shown[with.key(stormBegins+n)]; got != "read" {
			t.Fatalf("message %d of %d is shown as %q", n, s.messages, got)
		}
	}
}

// stormBegins is the number of the first message that the receipts are about.
const stormBegins = 1_000_000

// people are those who write meanwhile.
const people = 25

// blow runs a storm in virtual time.
func (s storm) blow(t *testing.T) (o outcome) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, options{stateFault: func(memstore.Call) memstore.Fault { time.Sleep(storeTakes); return memstore.None }})
		p.connectTo(p.crm.Simulator(burst))
		statuses := &slow{portal: simulatortest.Transport(p.portal), takes: batchTakes}
		p.outage.portal = &slow{portal: simulatortest.Transport(p.portal), takes: portalTakes}
		second := p.secondTenant()
		l := withReceipts(p)
		l.line, o.key = statuses, p.oursKey
		for _, q := range []*memqueue.Queue{p.events, p.deliver, l.receipts, l.updates} {
			q.Inject(func(c memqueue.Call) memqueue.Fault {
				if c.Operation == memqueue.OperationSend {
					time.Sleep(queueTakes)
				}
				return memqueue.Fault{}
			})
		}
		l.registered(stormBegins, s.messages)
		l.start()
		defer l.halt()
		p.outage.begin(secondHost, http.StatusServiceUnavailable, "", 6*time.Hour)
		for n := range 40 {
			p.send(message{to: second, number: number(500_000 + n), from: fmt.Sprintf("+1555301%04d", n), text: "hello"})
		}
		for n := range people { // they are known when it begins: a newcomer costs more calls, with and without a storm
			p.send(message{number: number(n), from: fmt.Sprintf("+1555201%04d", n), text: "hello"})
			time.Sleep(2 * time.Second)
		}
		time.Sleep(20 * time.Second)
		began := time.Now()
		var both sync.WaitGroup
		both.Go(func() { s.fall(t, l) })
		both.Go(func() {
			for n := people; n < people+s.live; n++ {
				p.send(message{number: number(n), from: fmt.Sprintf("+1555201%04d", n%people), text: "hello"})
				time.Sleep(s.every)
			}
		})
		both.Wait()
		l.rest(2 * time.Hour)
		o.took = time.Since(began).Truncate(time.Second)
		o.calls, o.shown = int(statuses.calls.Load()), l.shown()
		o.p50, o.p95 = quantiles(t, p.logs.text(), s.live)
		p.checkOnce(people+s.live, func(n int) string { return fmt.Sprint(n % people) })
	})
	return o
}

// fall lets the receipts come: five of each message, the ones of a message over some seconds, none in its place for sure. They
// come as canonical events, since the adapter's own work costs no virtual time.
func (s storm) fall(t *testing.T, l *lane) {
	t.Helper()
	if s.receipts == 0 {
		return
	}
	placeholder := number(0)
	about := l.client.ID(l.ours(0))
	states := []string{"queued", "sending", "sent", "delivered", "read"}
	at := time.Now().UTC()
	body, err := canonical.Encode(canonical.Event{
		EventID: "00000000-0000-4000-8000-000000000000", SchemaVersion: canonical.SchemaVersion, TenantID: "demo", AccountID: l.account, LineID: "demo-number",
		ThreadID: "t1_0", Type: canonical.TypeReceipt, Channel: canonical.SMS, Direction: canonical.Status, ConversationID: "sms:" + l.account + ":conv:1",
		Provider: l.provider, ProviderMessageID: about, RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: about},
		Sender: canonical.Participant{Phone: l.pipeline.line}, Recipient: canonical.Participant{Phone: "+15552019999"},
		Receipt: &canonical.Receipt{State: "queued", At: at}, Timestamp: at, ReceivedAt: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	order := make([]int, s.receipts)
	for i := range order {
		order[i] = i
	}
	random := rand.New(rand.NewPCG(3, 5))
	for begin := 0; begin < len(order); begin += 10_000 { // about three seconds
		part := order[begin:min(begin+10_000, len(order))]
		random.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	const together = 250
	pause := s.over / time.Duration(len(order)/together)
	for begin := 0; begin < len(order); begin += together {
		messages := make([]queue.Message, 0, together)
		for _, i := range order[begin:min(begin+together, len(order))] {
			mine := bytes.ReplaceAll(body, []byte(placeholder), []byte(number(stormBegins+i/len(states))))
			mine = bytes.Replace(mine, []byte("4000-8000-000000000000"), fmt.Appendf(nil, "4000-8000-%012x", i), 1)
			mine = bytes.Replace(mine, []byte(`"queued"`), []byte(`"`+states[i%len(states)]+`"`), 1)
			messages = append(messages, queue.Message{ID: fmt.Sprint(i), Group: "demo", Body: mine})
		}
		go func() {
			if err := l.receipts.Publish(t.Context(), messages...); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(pause)
	}
}

// quantiles returns the median and the 95th percentile of the times from a webhook to the CRM that the log tells.
func quantiles(t *testing.T, log string, count int) (p50, p95 time.Duration) {
	t.Helper()
	var all []time.Duration
	for text := range strings.Lines(log) {
		if !strings.Contains(text, `"EventToCRM":`) {
			continue
		}
		var metric struct {
			EventToCRM float64
			Tenant     string
		}
		if err := json.Unmarshal([]byte(text), &metric); err != nil {
			t.Fatal(err)
		}
		if metric.Tenant == "demo" {
			all = append(all, time.Duration(metric.EventToCRM*float64(time.Millisecond)))
		}
	}
	if len(all) != people+count {
		t.Fatalf("%d live messages were delivered, not %d", len(all), people+count)
	}
	all = all[people:]
	slices.Sort(all)
	return all[count/2], all[count*95/100]
}
