package hubspot

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

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

// HubSpot's headers as net/http keeps their names: one in another spelling is spelled anew at every look.
const (
	headerDaily     = "X-Hubspot-Ratelimit-Daily"
	headerDailyLeft = "X-Hubspot-Ratelimit-Daily-Remaining"
)

// call makes one request and decodes a 2xx into out, which may be nil. HubSpot does not tell the daily limit in every reply, nor
// every kind of app.
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
	daily, err := strconv.Atoi(reply.Header.Get(headerDaily))
	if left, wrong := strconv.Atoi(reply.Header.Get(headerDailyLeft)); err == nil && wrong == nil {
		p.crm.api.Spent(ctx, p.of, left, daily)
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
