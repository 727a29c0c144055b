package hubspot

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// portal is one tenant's HubSpot for the time of one Do.
type portal struct {
	crm     *CRM
	of      connector.BindingKey
	binding Binding
	routes  routes
}

// object is a record as HubSpot returns it. Only what is used is decoded.
type object struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"` // null becomes ""
	UpdatedAt  string            `json:"updatedAt"`
}

// usageOf reads HubSpot's headers, by the names that net/http keeps: one in another spelling is spelled anew at every look. HubSpot does not tell the
// daily limit to every kind of app, and searches, which are limited apart, tell nothing.
// See https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
func usageOf(h http.Header) (u connector.Usage) {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(h.Get("X-Hubspot-Ratelimit-"+name), 10, 64)
		if err != nil {
			return -1
		}
		return n
	}
	if daily, left := number("Daily"), number("Daily-Remaining"); daily > 0 && left >= 0 {
		u.Daily, u.Used = daily, max(daily-left, 0)
	}
	if most, left, span := number("Max"), number("Remaining"), number("Interval-Milliseconds"); most > 0 && left >= 0 && span > 0 {
		u.Window, u.Left, u.Span = most, left, time.Duration(span)*time.Millisecond
	}
	return u
}

// call makes one request and decodes a 2xx into out, which may be nil.
func (p *portal) call(ctx context.Context, method, path string, in, out any) error {
	_, err := p.exchange(ctx, method, path, in, out)
	return err
}

// exchange is call, and returns the header of the reply as well.
func (p *portal) exchange(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	header := http.Header{"Authorization": {"Bearer " + string(p.binding.Token)}}
	reply, err := p.crm.api.Send(ctx, method, p.binding.BaseURL+path, header, in)
	if err != nil {
		return nil, err
	}
	switch {
	case reply.Status < 200 || reply.Status > 299:
		return reply.Header, refused(reply)
	case out != nil && len(bytes.TrimSpace(reply.Body)) == 0: // upserts with such a reply were seen to have done nothing
		return reply.Header, fault.New(fault.Permanent, codeSilent, nil)
	default:
		return reply.Header, p.crm.api.Decode(reply, out)
	}
}
