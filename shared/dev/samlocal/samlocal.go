// Package samlocal makes what the SAM CLI's `sam local` takes: an event for every entry point, signed where a provider signs. Its tests
// write them, and the environment that functions in a container need to find a local cloud.
package samlocal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/functions/connector/health"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/dev/local/gateway"
	"signalbox/shared/dev/local/mapping"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/media"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/receipt"
	"signalbox/shared/redrive"
)

// Maker makes events of one repository.
type Maker struct {
	root     string
	now      time.Time // of signatures and events
	template *template.Template
	client   *samples.Client
	all      []samples.Sample
}

// New returns a Maker that signs for a public base URL.
func New(root, base string, now time.Time) (*Maker, error) {
	m := &Maker{root: root, now: now}
	var err error
	if m.template, err = template.Read(filepath.Join(root, "template.yaml"), map[string]string{"PublicBaseUrl": base, "CrmHosts": "any"}, nil); err != nil {
		return nil, err
	}
	if m.client, err = samples.NewClient(root, plugins.Channels(), samples.Target{Gateway: base, PublicBaseURL: base, Now: func() time.Time { return now }}); err != nil {
		return nil, err
	}
	m.all, err = samples.Read(root)
	return m, err
}

// Functions returns the names of all entry points: what `go build` calls their binaries.
func (m *Maker) Functions() []string {
	names := make([]string, len(m.template.Functions))
	for i, f := range m.template.Functions {
		names[i] = f.Binary
	}
	return names
}

// Event returns an event of a function as `sam local invoke -e` takes it; of one that receives webhooks, a sample by its name or
// else the first.
func (m *Maker) Event(ctx context.Context, function, sample string) ([]byte, error) {
	for _, f := range m.template.Functions {
		if f.Binary != function {
			continue
		}
		switch {
		case len(f.Routes) > 0:
			return m.request(ctx, f.Routes[0], sample)
		case len(f.Mappings) > 0:
			return m.records(f)
		case len(f.Schedules) > 0:
			source := mapping.Schedule{Name: f.Schedules[0].Name, Input: f.Schedules[0].Input, Region: m.template.Region}
			return json.MarshalIndent(json.RawMessage(source.Event(m.now)), "", "  ")
		default:
			return m.asked(function)
		}
	}
	return nil, fmt.Errorf("FUNCTION is one of %s, not %q", strings.Join(m.Functions(), ", "), function)
}

// request is a webhook of the provider that a route names; for the route of files a link that nobody made, and for that of a CRM's health one
// about the demo tenant's first.
func (m *Maker) request(ctx context.Context, to template.Route, sample string) ([]byte, error) {
	switch {
	case strings.HasPrefix(to.Path, media.Path):
		return m.get(ctx, to, "token", "demo.00000000-0000-4000-8000-000000000000.0.zzzzzz.0")
	case strings.HasPrefix(to.Path, health.Path):
		demo, err := samples.ReadTenant(filepath.Join(m.root, samples.DemoTenant))
		if err != nil {
			return nil, err
		}
		return m.get(ctx, to, "crm", demo.Tenant.CRMs[0].Kind)
	}
	provider := strings.Split(to.Path, "/")[4]
	for _, s := range m.all {
		if s.Provider() != provider || sample != "" && s.Name != sample {
			continue
		}
		request, err := m.client.Request(ctx, s)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, fmt.Errorf("samlocal: %w", err)
		}
		request.RemoteAddr, request.Host = "192.0.2.1:443", request.URL.Host
		parts := strings.Split(request.URL.Path, "/")
		parameters := map[string]string{"account": parts[3], "kind": parts[5]}
		return gateway.Event(request, body, to.Method+" "+to.Path, parameters, "sample", m.now)
	}
	return nil, fmt.Errorf("samlocal: %s has no sample %q", provider, sample)
}

// get is a request for a route with one parameter.
func (m *Maker) get(ctx context.Context, to template.Route, name, value string) ([]byte, error) {
	path := strings.Replace(to.Path, "{"+name+"}", value, 1)
	request, err := http.NewRequestWithContext(ctx, to.Method, "https://localhost"+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("samlocal: %w", err)
	}
	request.RemoteAddr = "192.0.2.1:443"
	return gateway.Event(request, nil, to.Method+" "+to.Path, map[string]string{name: value}, "sample", m.now)
}

// records is a batch of one message of a function's queue. It is not sealed, which functions take and count.
func (m *Maker) records(f template.Function) ([]byte, error) {
	arn := f.Mappings[0].QueueARN
	queue := arn[strings.LastIndex(arn, ":")+1:]
	_, name, _ := strings.Cut(strings.TrimSuffix(queue, ".fifo"), "-")
	body, group, err := m.message(name)
	if err != nil {
		return nil, err
	}
	d := memqueue.Delivery{MessageID: "00000000-0000-4000-8000-000000000001", ReceiptHandle: "sample", FirstReceived: m.now}
	d.Body, d.Attempt, d.FirstSent = body, 1, m.now
	if strings.HasSuffix(queue, ".fifo") {
		d.Group, d.ID, d.Sequence = group, "sample", "00000000000000000001"
	}
	return json.MarshalIndent(sqs.Event(queue, []memqueue.Delivery{d}), "", "  ")
}

// message is the body of a message on a queue of a name without the stack's, and its group.
func (m *Maker) message(queue string) (body []byte, group string, err error) {
	routed, delivered := "canonical-sms.json", "canonical-whatsapp.json" // two messages, or one's worker would wait for the other's
	event, err := m.canonical(delivered)
	if err != nil {
		return nil, "", err
	}
	deliver, toDeliver := strings.CutPrefix(queue, "deliver-")
	update, toUpdate := strings.CutPrefix(queue, "receipts-")
	switch {
	case toDeliver:
		return delivery.Encode(&delivery.Delivery{
			ID: delivery.NewID(event.EventID, deliver), CRM: deliver, Event: event,
			Person:  delivery.Person{Key: strings.Repeat("0", 64), Phone: event.Sender.Phone, Region: "US"},
			Actions: []delivery.Action{{Kind: delivery.EnsurePerson, Value: map[string]string{"source": "messaging"}}, {Kind: delivery.LogActivity}},
		}), string(event.ThreadID), nil
	case toUpdate:
		body, err = json.Marshal(receipt.Update{
			TenantID: event.TenantID, CRM: update, Channel: event.Channel, Status: receipt.Status{State: "read", At: m.now},
			Key: canonical.MessageKey(event.TenantID, event.Provider, event.AccountID, event.ProviderMessageID),
		})
		return body, event.TenantID, err
	case queue == "media": // a file that nobody may fetch, but from a server of this machine that plays all
		event.Message.Attachments = []canonical.Attachment{{URL: "https://127.0.0.1/photo.png"}}
		return media.NewJob(&event, strings.Repeat("0", 64)).Encode(), event.TenantID, nil
	case queue == "receipts":
		routed = "canonical-receipt.json"
	}
	event, err = m.canonical(routed)
	if err != nil {
		return nil, "", err
	}
	body, err = canonical.Encode(event)
	return body, string(event.ThreadID), err
}

// canonical reads an event of the demo tenant.
func (m *Maker) canonical(name string) (canonical.Event, error) {
	data, err := os.ReadFile(filepath.Join(m.root, "events", name)) //nolint:gosec // the repository's own
	if err != nil {
		return canonical.Event{}, fmt.Errorf("samlocal: %w", err)
	}
	event, err := canonical.Decode(data)
	if err != nil {
		return event, err
	}
	demo, err := samples.ReadTenant(filepath.Join(m.root, samples.DemoTenant))
	if len(demo.Accounts) > 0 {
		event.AccountID = demo.Accounts[0].ID
	}
	event.TenantID, event.ThreadID = demo.Tenant.ID, "t1_sample"
	return event, err
}

// asked is a request to a function that is invoked by hand.
func (m *Maker) asked(function string) ([]byte, error) {
	who := redrive.Common{Action: redrive.Plan, Tenant: "demo", By: "you", Reason: "sam local"}
	switch function {
	case "apply-tenant":
		file, err := os.ReadFile(filepath.Join(m.root, samples.DemoTenant))
		if err != nil {
			return nil, fmt.Errorf("samlocal: %w", err)
		}
		return json.MarshalIndent(map[string]any{"action": redrive.Plan, "file": json.RawMessage(file)}, "", "  ")
	case "replay":
		return json.MarshalIndent(redrive.ReplayRequest{Common: who}, "", "  ")
	default:
		return json.MarshalIndent(redrive.Request{Common: who, Filter: &redrive.Filter{}}, "", "  ")
	}
}
