package ring1

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/tenant"
)

// answer tells, by the door, of what a colleague wrote to a person.
func (p *pipeline) answer(id, to string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{
		"eventId": id, "channel": "sms", "direction": "outbound", "actor": map[string]string{"kind": "agent", "via": "ana"},
		"sender": map[string]string{"phone": p.line}, "recipient": map[string]string{"phone": to}, "message": map[string]string{"text": "Yes, we do."},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	s := samples.Sample{Name: "answer", Path: "/v1/accounts/demo-edge/edge/events", JSON: body}
	if status := p.receive(p.newAdapter(s.Provider(), p.events), p.posted(p.client, s)); status != http.StatusAccepted {
		p.t.Fatalf("the answer is answered %d", status)
	}
}

// TestWhoWaitsIsToldOfOnce through the whole path, from signed requests to the task, whichever process dies: the adapter's, routers,
// connectors, and the drain that sends what is due. Who was answered in time is not told of. No request arrives after its process died: it
// would make a second task in a CRM whose tasks have no key.
func TestWhoWaitsIsToldOfOnce(t *testing.T) {
	const waits, answered = "+15552010001", "+15552010002"
	for kind := range plugins.CRMs() {
		for seed := range uint64(5) {
			t.Run(fmt.Sprintf("%s, seed %d", kind, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPipeline(t, options{crm: kind, concurrency: 1 + int(seed%4), quiet: true})
					p.file.Tenant.Leads = &tenant.Leads{People: []tenant.Seller{{Name: "ana", Users: map[string]string{p.file.Tenant.CRMs[0].Name: p.about.User}}}}
					p.file.Lines = slices.Clone(p.file.Lines)
					for i := range p.file.Lines {
						if p.file.Lines[i].Address == p.line && p.file.Lines[i].Account == p.account {
							p.file.Lines[i].Leads = &tenant.LineLeads{Owner: "ana", WaitMinutes: 30}
						}
					}
					p.publish()
					r := &reaper{random: rand.New(rand.NewPCG(seed, 7)), kills: map[string]int{}}
					p.startMortal(r)
					defer p.halt()
					stop := p.drainEveryMinute(r)
					defer stop()
					for n, from := range []string{waits, answered, waits} {
						p.send(message{number: number(n), from: from, text: "Do you deliver on Saturdays?"})
						time.Sleep(time.Minute)
					}
					p.answer("answer-1", answered)
					time.Sleep(12 * time.Hour)
					p.settled(24 * time.Hour)
					tasks := slices.DeleteFunc(p.held(p.about.Tasks), func(r simulatortest.Record) bool {
						return !strings.HasPrefix(r.Properties[p.about.Subject], "Waiting for an answer since ")
					})
					if len(tasks) != 1 || tasks[0].Properties[p.about.Owner] != p.about.User {
						t.Errorf("%d tasks, want one: %v", len(tasks), tasks)
					}
					for record := range p.state.All() {
						if strings.HasPrefix(record.Partition, "due/") {
							t.Errorf("%s %s is left", record.Partition, record.Sort)
						}
					}
				})
			})
		}
	}
}

// drainEveryMinute runs drains as their schedule would, each a process that may die. The function it returns ends it.
func (p *pipeline) drainEveryMinute(r *reaper) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	p.running.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(time.Minute)
			v := &victim{choose: r.choose, held: []string{"drain"}}
			drain := *p.drain
			drain.Records, drain.Due, drain.Events = mortal{p.spool, v}, mortal{p.state, v}, publisher{p.events, v}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				invocation, cancel := context.WithTimeout(ctx, functionTime)
				defer cancel()
				_ = drain.Run(invocation) // an error leaves the rest to the next minute
			}()
			<-ended
		}
	})
	return cancel
}
