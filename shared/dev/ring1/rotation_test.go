package ring1

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/envelope"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/tenant"
)

// publish applies the demo tenant's file as change leaves it.
func (p *pipeline) publish(change func(*tenant.File)) {
	p.t.Helper()
	f := p.file
	change(&f)
	if _, err := tenant.Publish(p.t.Context(), p.config, p.box, p.peppers, f); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(tenant.Fresh + time.Second) // virtual
}

func TestBothLiveTokensOfAnAccountAreAcceptedAndNoOther(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		data, err := os.ReadFile("../../../events/tenants/demo.json")
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Accounts []struct{ AuthToken, PreviousAuthToken string }
		}
		if err := json.Unmarshal(data, &file); err != nil || file.Accounts[0].PreviousAuthToken == "" {
			t.Fatal("the file has no previous token", err)
		}
		tokens := map[string]int{
			file.Accounts[0].AuthToken: http.StatusOK, file.Accounts[0].PreviousAuthToken: http.StatusOK, "another": http.StatusForbidden,
		}
		n := 0
		for token, want := range tokens {
			form := p.form(message{sid: sid(n), from: "+15552010001", text: "hello"})
			if got := p.post("/v1/accounts/"+account+"/twilio/messages", form, token); got != want {
				t.Errorf("answered %d, want %d", got, want)
			}
			n++
		}
	})
}

// bearer notes the tokens that a CRM is called with.
type bearer struct {
	http.RoundTripper
	mu   sync.Mutex
	seen []string
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if len(b.seen) == 0 || b.seen[len(b.seen)-1] != token {
		b.seen = append(b.seen, token)
	}
	b.mu.Unlock()
	return b.RoundTripper.RoundTrip(r)
}

// TestACRMsTokenIsRotatedWhileBothLive: HubSpot lets a private app's old token live for days beside the new one, so that a
// process that still holds the old configuration gets through.
func TestACRMsTokenIsRotatedWhileBothLive(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		calls := &bearer{RoundTripper: p.outage.portal}
		p.outage.portal = calls
		p.send(message{sid: sid(0), from: "+15552010001", text: "with the old token"})
		p.settled(time.Hour)
		p.publish(func(f *tenant.File) {
			for i := range f.Tenant.CRMs {
				if f.Tenant.CRMs[i].Kind == "hubspot" {
					f.Tenant.CRMs[i].Token = "the-new-token"
				}
			}
		})
		p.send(message{sid: sid(1), from: "+15552010001", text: "with the new token"})
		p.settled(time.Hour)
		p.check(2, func(int) string { return "a" })
		if len(calls.seen) != 2 || calls.seen[1] != "the-new-token" {
			t.Errorf("%d tokens were used", len(calls.seen))
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
				p.publish(func(f *tenant.File) { f.Tenant.RawVendor = policy })
				p.deliver.Inject(func(c memqueue.Call) memqueue.Fault {
					for _, m := range c.Messages {
						if plain, _, err := envelope.Open(t.Context(), p.ring, m.Body); err != nil || strings.Contains(string(plain), "rawVendor") {
							t.Errorf("rawVendor travels to a CRM, %v", err)
						}
					}
					return memqueue.Fault{}
				})
				p.send(message{sid: sid(0), from: "+15552010001", text: text})
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
				if (raw != nil) != want.kept || (raw["MessageSid"] == sid(0)) != want.open || (raw["Body"] == text) != want.private {
					t.Errorf("kept: %v", raw)
				}
			})
		})
	}
}
