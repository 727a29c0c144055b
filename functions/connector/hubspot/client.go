package hubspot

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// codeUndecodable says that a 2xx is not what it should be.
const codeUndecodable = "hubspot_reply_undecodable"

// maxReply bounds what is read of a reply: a batch of 100 records with the longest bodies is 7 MB.
const maxReply = 16 << 20

// portal is one tenant's HubSpot for the time of one Do.
type portal struct {
	crm     *CRM
	tenant  string
	binding Binding
	routes  routes
}

// object is a record as HubSpot answers it. Only what is used is decoded.
type object struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"` // null becomes ""
	UpdatedAt  string            `json:"updatedAt"`
}

// call makes one request and decodes a 2xx into out, which may be nil. Errors are faults that hold nothing of what was sent.
func (p *portal) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fault.New(fault.Permanent, "hubspot_request_unencodable", nil)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.binding.BaseURL+path, body)
	if err != nil {
		return fault.New(fault.Blocked, "hubspot_base_url_invalid", nil)
	}
	request.Header.Set("Authorization", "Bearer "+string(p.binding.Token))
	request.Header.Set("Accept", "application/json")
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	reply, err := p.crm.client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := readAll(reply)
	if err != nil {
		return unreachable(err)
	}
	p.crm.watchBudget(ctx, p.tenant, reply.Header)
	if len(read) > maxReply {
		return fault.New(fault.Permanent, "hubspot_reply_too_large", nil)
	}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return refused(reply.StatusCode, reply.Header, read)
	}
	if out == nil { // what is not JSON did not come from HubSpot, whatever its status
		if len(bytes.TrimSpace(read)) > 0 && !json.Valid(read) {
			return fault.New(fault.Retryable, codeUndecodable, nil)
		}
		return nil
	}
	return decode(read, out)
}

// readAll reads a reply, at most one byte more than is allowed.
func readAll(reply *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if announced := reply.ContentLength; 0 < announced && announced <= maxReply {
		b.Grow(int(announced) + bytes.MinRead) // so that it is not copied while it grows
	}
	_, err := b.ReadFrom(io.LimitReader(reply.Body, maxReply+1))
	return b.Bytes(), err
}

// decode reads a 2xx. Upserts answered with nothing were seen to have done nothing; what is not JSON came from something in
// between.
func decode(body []byte, out any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.New(fault.Permanent, codeSilent, nil)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return nil
}

func unreachable(err error) error {
	return connector.TransportFault(err, "hubspot_timeout", "hubspot_unreachable")
}

// HubSpot's headers as net/http keeps their names: one in another spelling is spelled anew at every look.
const (
	headerDaily     = "X-Hubspot-Ratelimit-Daily"
	headerDailyLeft = "X-Hubspot-Ratelimit-Daily-Remaining"
)

// watchBudget tells, at most once a minute and tenant, when less than a tenth of the day's requests is left. HubSpot does
// not send these headers on every reply, nor to every kind of app.
func (c *CRM) watchBudget(ctx context.Context, tenant string, h http.Header) {
	daily, err := strconv.Atoi(h.Get(headerDaily))
	if err != nil || daily <= 0 {
		return
	}
	left, err := strconv.Atoi(h.Get(headerDailyLeft))
	if err != nil || left >= daily/10 {
		return
	}
	now := time.Now()
	c.mu.Lock()
	due := now.Sub(c.warned[tenant]) >= time.Minute
	if due {
		c.warned[tenant] = now
	}
	c.mu.Unlock()
	if !due {
		return
	}
	c.logger.WarnContext(ctx, "less than a tenth of the portal's daily requests is left",
		slog.String("tenant", tenant), slog.Int("left", left), slog.Int("daily", daily))
	c.meter.Count("HubSpotDailyBudgetLow", 1, telemetry.Label{Name: "tenant", Value: tenant})
}
