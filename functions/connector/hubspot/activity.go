package hubspot

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

const bodyProperty = "hs_communication_body"

// communication returns the record of an event, without the key it is upserted by. Of the body, reserve characters are left
// free. The status of what was sent is its receipts' alone: they may have come first, and nothing is to set it back.
func communication(e canonical.Event, names Properties, reserve int) map[string]string {
	status := ""
	if e.Direction == canonical.Inbound {
		status = "received"
	}
	filled := fill(append(attributionOf(e, names),
		bodyProperty, body(e, reserve), names.Direction, string(e.Direction), names.Status, status)...)
	maps.Copy(filled, logged(e.Channel, e.Timestamp, names))
	return filled
}

// logged returns what a communication is made with and keeps: its place on the timeline.
func logged(channel canonical.Channel, at time.Time, names Properties) map[string]string {
	return map[string]string{
		"hs_communication_channel_type": channelType(channel),
		"hs_communication_logged_from":  "CRM", // the only value HubSpot takes
		"hs_timestamp":                  connector.Instant(at),
		names.Channel:                   string(channel),
	}
}

// page is a communication that a step writes: a message, or a part of a session.
type page struct {
	step  int
	key   string
	id    string            // HubSpot's, once it is known
	shows map[string]string // what every write writes
	keeps map[string]string // of a session: what only the first does
	tied  bool              // it is on the timeline of the step's contact
	err   error

	there  bool              // an earlier try wrote the message, and what it shows is the users' by now
	renews map[string]string // of such a one: what a tenant wants written each time
}

// activity puts messages and sessions on their contacts' timelines. A message is upserted and associated: two calls, both of which may be
// repeated. A session that was written before is updated in one call; a new one is made on the timeline in one. In a portal that cannot
// upsert communications messages are left to activityOnce, and sessions are looked for before they are made.
func (p *portal) activity(ctx context.Context, w batch) {
	var pages []*page
	for i := range w.Len() {
		switch {
		case w.Activity(i) != nil:
			pages = append(pages, p.sessionPages(ctx, w, i)...)
		case !p.binding.Capabilities.EngagementUpsert:
			w.Succeed(i, resultOnce, "true")
		default:
			e := w.Request(i).delivery.Event
			shows := with(communication(e, p.binding.Properties, 0), w.Fields(i, mapping.Activity, true))
			pages = append(pages, &page{step: i, key: connector.MessageKey(e), shows: shows})
		}
	}
	p.recall(ctx, w, pages)
	p.bring(ctx, w, pages)
	p.conclude(ctx, w, pages)
}

// recall finds the messages that an earlier try has written.
func (p *portal) recall(ctx context.Context, w batch, pages []*page) {
	known := map[string]*page{}
	for _, one := range pages {
		if w.Again(one.step) && one.keeps == nil {
			known[one.key] = one
		}
	}
	property := p.binding.Properties.EventKey
	found, err := p.read(ctx, communications, property, slices.Sorted(maps.Keys(known)), []string{property})
	for _, o := range found {
		if one := known[o.Properties[property]]; one != nil {
			one.id, one.there, one.renews = o.ID, true, with(map[string]string{}, w.Fields(one.step, mapping.Activity, false))
		}
	}
	for _, one := range known {
		one.err = err
	}
}

// bring writes pages where they belong: those that are there by their ids, of sessions the others by making them, and what is there after
// all, or a message, by its key.
func (p *portal) bring(ctx context.Context, w batch, pages []*page) {
	each := func(of func(*page) bool) (some []*page) {
		for _, one := range pages {
			if one.err == nil && of(one) {
				some = append(some, one)
			}
		}
		return some
	}
	p.put(ctx, "update", each(func(one *page) bool { return one.id != "" && (!one.there || len(one.renews) > 0) }), func(one *page) input {
		if one.there {
			return input{ID: one.id, Properties: one.renews}
		}
		return input{ID: one.id, Properties: one.shows}
	}, codeNotFound)
	together := maxBatch
	if !p.binding.Capabilities.EngagementUpsert { // of which nothing would tell that it was made, were the reply to leave it out
		together = 1
	}
	for chunk := range slices.Chunk(each(func(one *page) bool { return one.keeps != nil && one.id == "" }), together) {
		p.put(ctx, "create", chunk, func(one *page) input {
			one.tied = true
			return input{ID: one.key, Properties: p.whole(one), Associations: to(w.Request(one.step).contact, communicationToContact)}
		}, codeConflict)
	}
	p.put(ctx, "upsert", each(func(one *page) bool { return one.id == "" }), func(one *page) input {
		one.tied = false
		return input{ID: one.key, IDProperty: p.binding.Properties.EventKey, Properties: p.whole(one)}
	}, "")
	untied := each(func(one *page) bool { return !one.tied })
	pairs := make([]pair, len(untied))
	for k, one := range untied {
		pairs[k] = pair{end{one.id}, end{w.Request(one.step).contact}}
	}
	for k, err := range p.associate(ctx, pairs) {
		untied[k].err = err
	}
}

// whole returns what a communication is made with.
func (p *portal) whole(one *page) map[string]string {
	all := maps.Clone(one.shows)
	maps.Copy(all, one.keeps)
	if p.binding.Capabilities.EngagementUpsert {
		all[p.binding.Properties.EventKey] = one.key
	}
	return all
}

// put writes pages. What is refused for one reason is left as it is, for the next to write otherwise: it has no id.
func (p *portal) put(ctx context.Context, verb string, pages []*page, as func(*page) input, otherwise string) {
	rows := make([]input, len(pages))
	for k, one := range pages {
		rows[k] = as(one)
	}
	for k, r := range p.write(ctx, communications, verb, rows) {
		one := pages[k]
		switch {
		case r.err == nil:
			one.id = r.object.ID
		case otherwise != "" && fault.Is(r.err, otherwise):
			one.id = ""
		default:
			one.err = raced(r.err)
		}
	}
}

// conclude concludes the steps of pages. A session's result holds where it is, for the next write.
func (p *portal) conclude(ctx context.Context, w batch, pages []*page) {
	for begin, end := 0, 0; begin < len(pages); begin = end {
		i := pages[begin].step
		for end = begin; end < len(pages) && pages[end].step == i; end++ {
		}
		of := pages[begin:end]
		if bad := slices.IndexFunc(of, func(one *page) bool { return one.err != nil }); bad >= 0 {
			p.failed(ctx, w, i, of[bad].err)
			continue
		}
		var said []string
		for n, one := range of {
			said = append(said, recordOf(n+1), one.id)
		}
		if w.Request(i).known && (w.Stands(i) == nil || !p.binding.showsConversations()) && len(w.Fields(i, mapping.Person, false)) > 0 {
			said = append(said, connector.ResultUnwritten, string(mapping.Person))
		}
		if of[0].keeps != nil {
			said = append(said, resultContact, w.Request(i).contact)
		}
		if len(of) > 1 {
			said = append(said, connector.ResultParts, strconv.Itoa(len(of)))
		}
		w.Succeed(i, said...)
	}
}

// recordOf returns under what name a result holds the record of a part.
func recordOf(part int) string {
	if part == 1 {
		return resultRecord
	}
	return resultRecord + "." + strconv.Itoa(part)
}

// sessionPages returns the parts of a session.
func (p *portal) sessionPages(ctx context.Context, w batch, i int) []*page {
	a, r, keyed := w.Activity(i), w.Request(i), p.binding.Capabilities.EngagementUpsert
	reserve := 0
	if !keyed {
		reserve = len(marker(a.Key))
	}
	// Writing how the conversation stands finds out whether the contact is gone; where it is not shown the association does.
	watched := a.Conversation != nil && p.binding.showsConversations()
	var pages []*page
	for _, part := range parts(a, reserve) {
		begins := a.Start
		if part.Number > 1 && len(part.Lines) > 0 {
			begins = part.Lines[0].At
		}
		one := &page{step: i, key: part.Key, id: a.Written[recordOf(part.Number)], keeps: with(logged(a.Channel, begins, p.binding.Properties), w.Fields(i, mapping.Activity, true))}
		one.shows = with(fill(append(attributionOf(r.delivery.Event, p.binding.Properties), bodyProperty, transcript(a, part))...), w.Fields(i, mapping.Activity, false))
		if !keyed {
			one.shows[bodyProperty] += marker(part.Key)
			if one.id == "" {
				one.id, one.err = p.marked(ctx, r.contact, part.Key)
			}
		}
		one.tied = one.id != "" && watched && a.Written[resultContact] == r.contact
		pages = append(pages, one)
	}
	return pages
}
