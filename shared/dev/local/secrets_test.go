package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
)

// attributes collects what whoever operates a queue sees of its messages.
type attributes struct {
	mu   sync.Mutex
	seen []string
}

func (a *attributes) note(c memqueue.Call) memqueue.Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range c.Messages {
		a.seen = append(a.seen, m.ID, m.Group, m.Trace)
	}
	return memqueue.Fault{}
}

func TestNoLogMetricOrQueueAttributeHoldsWhatIsPrivate(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{Times: map[string]string{"ReceiptsWindowSeconds": "0.2"}})
	var seen attributes
	for _, id := range w.Queues() {
		w.Queue(id).Inject(seen.note)
	}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	reports, sent, err := w.client.SendAll(ctx, root, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		for crm := range w.CRMs {
			if len(r.Held[crm]) != 1 {
				t.Errorf("%s is in %s %d times", r.Sample.Name, crm, len(r.Held[crm]))
			}
		}
	}
	if len(seen.seen) == 0 || sent <= len(reports) {
		t.Fatal("nothing was observed")
	}
	log, err := os.ReadFile(w.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"twilioReceive | ", "Route | ", "hubspotDeliver | ", "salesforceDeliver | ", "_aws"} {
		if !strings.Contains(string(log), line) {
			t.Errorf("the log has no %q: it proves nothing", line)
		}
	}
	forbidden := secretsOf(t, root, reports)
	for i, value := range w.Secrets() {
		forbidden[fmt.Sprintf("secret %d", i)] = value
	}
	for what, private := range forbidden {
		if strings.Contains(string(log), private) {
			t.Errorf("the log holds %s", what)
		}
		for _, attribute := range seen.seen {
			if strings.Contains(attribute, private) {
				t.Errorf("a queue attribute holds %s", what)
			}
		}
	}
}

// secretsOf returns what may not be seen, by a name that may.
func secretsOf(t *testing.T, root string, reports []samples.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, r := range reports {
		for _, pair := range r.Sample.Form {
			name, value := pair[0], pair[1]
			if ours := r.Sample.Shows != ""; ours { // the status of what was sent: From is the tenant's
				name = map[string]string{"From": "To", "To": "From"}[name]
			}
			switch name {
			case "Body", "ButtonText", "ButtonPayload", "ProfileName", "Address", "Label", "ReferralBody", "ReferralHeadline", "MediaUrl0":
				if len(value) > 5 { // a keyword is in every log
					out[r.Sample.Name+" "+name] = value
				}
			case "From", "To", "WaId":
				if _, number, found := strings.Cut(value, "+"); found {
					value = number
				}
				out[r.Sample.Name+" "+name] = value
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(root, samples.DemoTenant))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tenant   struct{ CRMs []struct{ Token string } }
		Accounts []struct{ ID, AuthToken, PreviousAuthToken, HandshakeToken, APIToken string }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, crm := range file.Tenant.CRMs {
		for part := range strings.SplitSeq(crm.Token, "\n") { // a key has lines, which a log would not keep together
			if len(part) > 20 && !strings.HasPrefix(part, "-----") && !strings.Contains(part, ": ") {
				out["a CRM's token, "+part[:4]] = part
			}
		}
	}
	out["a Salesforce session"] = "invented-session"
	for _, a := range file.Accounts {
		for name, token := range map[string]string{"auth": a.AuthToken, "previous auth": a.PreviousAuthToken, "handshake": a.HandshakeToken, "API": a.APIToken} {
			if token != "" {
				out["the "+name+" token of "+a.ID] = token
			}
		}
	}
	return out
}
