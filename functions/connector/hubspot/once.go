package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
)

// Bounds of a look-up: a contact with more communications than this is left to a person.
const (
	listPage  = "500"
	listPages = 20
)

// marker ends the body of a communication that has no key, so that it can be found again.
func marker(e canonical.Event) string { return "<p>" + mark(e) + "</p>" }

func mark(e canonical.Event) string { return "[msg:" + connector.MessageKey(e) + "]" }

// remembered is how long an earlier delivery of an event is sure to be known by its claim. Claims are kept somewhat longer.
const remembered = 30 * 24 * time.Hour

// forgotten says whether an event is so old that it may have been carried out under a claim that is gone.
func forgotten(e canonical.Event) bool {
	since := e.ReceivedAt
	if since.IsZero() {
		since = e.Timestamp
	}
	return time.Since(since) > remembered
}

// activityOnce creates communications in a portal that cannot upsert them. If an earlier try may have come through, the
// contact's communications are searched for it first.
func (p *portal) activityOnce(ctx context.Context, w work) {
	one(w, func(i int) {
		r := w.Request(i)
		record := ""
		var err error
		if w.Intended(i) || forgotten(r.delivery.Event) {
			record, err = p.marked(ctx, r)
		}
		if err == nil && record == "" {
			record, err = p.post(ctx, r)
		}
		switch {
		case is(err, codeNotFound):
			p.gone(ctx, w, i, err)
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i, resultRecord, record)
		}
	})
}

func (p *portal) post(ctx context.Context, r Request) (string, error) {
	e := r.delivery.Event
	end := marker(e)
	properties := communication(e, p.binding.Properties, len(end))
	properties["hs_communication_body"] += end
	var made object
	err := p.call(ctx, http.MethodPost, p.routes.object(communications), newRecord{properties, associated(r.contact, communicationToContact)}, &made)
	if err == nil && made.ID == "" {
		err = fault.New(fault.Permanent, codeSilent, nil)
	}
	return made.ID, err
}

// marked answers the contact's communication that bears the event's marker, or "".
func (p *portal) marked(ctx context.Context, r Request) (string, error) {
	const bodyProperty = "hs_communication_body"
	after := ""
	for range listPages {
		query := url.Values{"limit": {listPage}}
		if after != "" {
			query.Set("after", after)
		}
		var page struct {
			Results []struct {
				ID string `json:"id"`
			} `json:"results"`
			Paging struct {
				Next struct {
					After string `json:"after"`
				} `json:"next"`
			} `json:"paging"`
		}
		if err := p.call(ctx, http.MethodGet, p.routes.listed(contacts, r.contact, communications)+"?"+query.Encode(), nil, &page); err != nil {
			return "", err
		}
		ids := make([]string, len(page.Results))
		for i, result := range page.Results {
			ids[i] = result.ID
		}
		found, err := p.read(ctx, communications, "", ids, []string{bodyProperty})
		if err != nil {
			return "", err
		}
		for _, o := range found {
			if strings.Contains(o.Properties[bodyProperty], mark(r.delivery.Event)) {
				return o.ID, nil
			}
		}
		if after = page.Paging.Next.After; after == "" {
			return "", nil
		}
	}
	return "", fault.New(fault.Permanent, "hubspot_timeline_too_long", nil)
}
