package ring1

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/envelope"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
)

// change applies the demo tenant's file as do leaves it.
func (p *pipeline) change(do func(*tenant.File)) {
	p.t.Helper()
	do(&p.file)
	p.publish()
	time.Sleep(tenant.Fresh + time.Second) // virtual
}

func TestBothLiveTokensOfAnAccountAreAcceptedAndNoOther(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		own := p.file.Accounts[slices.IndexFunc(p.file.Accounts, func(a tenant.AccountContent[secret.Value]) bool { return a.ID == p.account })]
		if own.PreviousAuthToken == "" {
			t.Fatal("the file has no previous token")
		}
		tokens := map[secret.Value]int{own.AuthToken: http.StatusOK, own.PreviousAuthToken: http.StatusOK, "another": http.StatusForbidden}
		n := 0
		for token, want := range tokens {
			s := p.sample(message{number: number(n), from: "+15552010001", text: "hello"})
			if got := p.receive(p.adapter, p.postedBy(s, s.Path, token)); got != want {
				t.Errorf("answered %d, want %d", got, want)
			}
			n++
		}
	})
}

func TestWhatTheProviderSentIsKeptAsThePolicySays(t *testing.T) {
	const text = "a rather private question"
	for policy, want := range map[tenant.RawVendor]struct{ kept, open, private bool }{
		tenant.RawVendorNone: {}, tenant.RawVendorRedacted: {kept: true, open: true}, tenant.RawVendorFull: {kept: true, open: true, private: true},
	} {
		t.Run(string(policy), func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				p.change(func(f *tenant.File) { f.Tenant.RawVendor = policy })
				p.deliver.Inject(func(c memqueue.Call) memqueue.Fault {
					for _, m := range c.Messages {
						if plain, _, err := envelope.Open(t.Context(), p.ring, m.Body); err != nil || strings.Contains(string(plain), "rawVendor") {
							t.Errorf("rawVendor travels to a CRM, %v", err)
						}
					}
					return memqueue.Fault{}
				})
				m := message{number: number(0), from: "+15552010001", text: text}
				p.send(m)
				p.settled(time.Hour)
				record, _ := p.stored(0)
				opened, err := router.OpenRecord(t.Context(), p.ring, record.Key, record.Data)
				if err != nil {
					t.Fatal(err)
				}
				var event struct {
					Metadata struct{ RawVendor map[string]any }
				}
				if err := json.Unmarshal(opened.Event, &event); err != nil {
					t.Fatal(err)
				}
				raw := event.Metadata.RawVendor
				values := slices.Collect(maps.Values(raw))
				if (raw != nil) != want.kept || slices.Contains(values, any(p.client.ID(p.sample(m)))) != want.open || slices.Contains(values, any(text)) != want.private {
					t.Errorf("kept: %v", raw)
				}
			})
		})
	}
}
