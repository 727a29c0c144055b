package hubspot

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// listPages bounds a look-up: a contact with more pages of communications is left to a person.
const listPages = 20

// marker ends the body of a communication that has no key, so that it can be found again by this one.
func marker(key string) string { return "<p>" + mark(key) + "</p>" }

func mark(key string) string { return "[msg:" + key + "]" }

// activityOnce creates communications in a portal that cannot upsert them. If an earlier try may have come through, the
// contact's communications are searched for it first.
func (p *portal) activityOnce(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		record := ""
		var err error
		if w.Intended(i) || connector.Forgotten(r.delivery.Event) {
			record, err = p.marked(ctx, r.contact, connector.MessageKey(r.delivery.Event))
		}
		if err == nil && record == "" {
			record, err = p.post(ctx, r, w.Fields(i, mapping.Activity, true))
		}
		if err != nil {
			p.failed(ctx, w, i, err)
			return
		}
		w.Succeed(i, resultRecord, record)
	})
}

func (p *portal) post(ctx context.Context, r Request, mapped []mapping.Field) (string, error) {
	e := r.delivery.Event
	end := marker(connector.MessageKey(e))
	properties := with(communication(e, p.binding.Properties, len(end)), mapped)
	properties[bodyProperty] += end
	return p.make(ctx, communications, newRecord(properties, r.contact, communicationToContact))
}

// marked returns the communication of a contact that bears a marker, or "".
func (p *portal) marked(ctx context.Context, contact, key string) (string, error) {
	return p.bearing(ctx, contact, communications, bodyProperty, key)
}

// bearing returns the record of a kind of a contact that bears a marker in its body, or "".
func (p *portal) bearing(ctx context.Context, contact, kind, body, key string) (string, error) {
	after := ""
	for range listPages {
		ids, next, err := p.related(ctx, contacts, contact, kind, after)
		if err != nil {
			return "", err
		}
		found, err := p.read(ctx, kind, "", ids, []string{body})
		if err != nil {
			return "", err
		}
		for _, o := range found {
			if strings.Contains(o.Properties[body], mark(key)) {
				return o.ID, nil
			}
		}
		if after = next; after == "" {
			return "", nil
		}
	}
	return "", fault.New(fault.Permanent, "hubspot_timeline_too_long", nil)
}

// relatedReply is the reply to a batch read of associations.
type relatedReply struct {
	Results []struct {
		From struct {
			ID json.Number `json:"id"`
		} `json:"from"`
		To []struct {
			ID json.Number `json:"toObjectId"` // described as a string, and seen as a number
		} `json:"to"`
		Paging struct {
			Next struct {
				After string `json:"after"`
			} `json:"next"`
		} `json:"paging"`
	} `json:"results"`
	Errors []refusal `json:"errors"`
}

// related returns a page of the records of kind to that one record is associated with, and where the next page begins. The batch
// read is what every version has. A reply that does not name each of them is an error: whoever took it for an empty one would
// write again what is there.
func (p *portal) related(ctx context.Context, from, id, to, after string) (ids []string, next string, err error) {
	request := connector.Object{"inputs", []connector.Object{{"id", id, "after", after}}}
	var reply relatedReply
	if err := p.call(ctx, http.MethodPost, p.routes.associationsRead(from, to), request, &reply); err != nil {
		return nil, "", err
	}
	for _, e := range reply.Errors {
		if err := e.fault(); err.Code != codeNotFound { // a record without associations is not found here
			return nil, "", err
		}
	}
	if reply.Results == nil && len(reply.Errors) == 0 {
		return nil, "", fault.New(fault.Retryable, codeUndecodable, nil)
	}
	for _, result := range reply.Results {
		if result.From.ID.String() != id {
			return nil, "", fault.New(fault.Retryable, codeUndecodable, nil)
		}
		for _, other := range result.To {
			if other.ID == "" {
				return nil, "", fault.New(fault.Retryable, codeUndecodable, nil)
			}
			ids = append(ids, other.ID.String())
		}
		next = result.Paging.Next.After
	}
	return ids, next, nil
}
