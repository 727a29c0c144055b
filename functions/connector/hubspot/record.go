package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// Lengths HubSpot keeps of a lead's name and of a person's.
const (
	maxLeadName = 255
	maxName     = 100
)

// fill keeps the properties that have a name and a value: an empty value would clear what the portal holds.
func fill(kv ...string) map[string]string {
	filled := make(map[string]string, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] != "" && kv[i+1] != "" {
			filled[kv[i]] = kv[i+1]
		}
	}
	return filled
}

// with adds to properties those that a tenant maps. What is ours stays.
func with(properties map[string]string, mapped []mapping.Field) map[string]string {
	for _, f := range mapped {
		if _, ours := properties[f.Name]; !ours {
			properties[f.Name] = f.Text()
		}
	}
	return properties
}

// newContact returns what a person looks like who is new to the portal.
func newContact(d delivery.Delivery, names Properties) map[string]string {
	first, last := nameOf(d)
	source, channel, said := connector.Ensured(d)
	return fill(append(attributionOf(d.Event, names),
		names.SenderKey, d.Person.Key,
		ownerProperty, connector.OwnerOf(d),
		"phone", d.Person.Phone,
		"email", connector.EmailOf(d),
		"firstname", first,
		"lastname", last,
		names.Address, connector.AddressOf(d),
		"lifecyclestage", "lead",
		names.Source, source,
		names.Channel, channel,
		names.FirstMessage, connector.Cut(said, maxText),
		"message", connector.Cut(said, maxText), // HubSpot's own, where reps look for it
	)...)
}

// ownerProperty is HubSpot's, of contacts, leads and tasks alike. It is written when a record is made and never again.
const ownerProperty = "hubspot_owner_id"

// nameOf returns a first and a last name. Who has none is called by number or address: a last name, so that nobody is greeted by it.
func nameOf(d delivery.Delivery) (first, last string) {
	name := connector.NameOf(d)
	if name == "" {
		return "", connector.Cut(connector.CalledBy(d), maxName)
	}
	first, last, _ = strings.Cut(name, " ")
	return connector.Cut(first, maxName), connector.Cut(strings.TrimSpace(last), maxName)
}

// attributionOf returns the properties, names and values in turn, of the advertisement that an event came by.
func attributionOf(e canonical.Event, names Properties) []string {
	a := e.Attribution
	if a == nil {
		return nil
	}
	return []string{
		names.AdSource, connector.Clean(a.SourceType), names.AdID, connector.Clean(a.SourceID), names.AdURL, connector.Clean(a.SourceURL),
		names.AdHeadline, connector.Clean(a.Headline), names.AdClickID, connector.Clean(a.ClickID),
	}
}

// definedBy are HubSpot's own association types; see
// https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide#association-type-id-values.
const (
	communicationToContact = 81
	leadToPrimaryContact   = 578
	taskToContact          = 204
	noteToContact          = 202
)

// to returns the associations of a record that is made for a contact.
func to(contact string, kind int) []connector.Object {
	types := []connector.Object{{"associationCategory", "HUBSPOT_DEFINED", "associationTypeId", kind}}
	return []connector.Object{{"to", connector.Object{"id", contact}, "types", types}}
}

// newRecord returns the request for a record that is made with an association to a contact.
func newRecord(properties map[string]string, contact string, kind int) connector.Object {
	return connector.Object{"properties", properties, "associations", to(contact, kind)}
}

// make makes a record and returns its id.
func (p *portal) make(ctx context.Context, kind string, record connector.Object) (string, error) {
	var made object
	err := p.call(ctx, http.MethodPost, p.routes.object(kind), record, &made)
	if err == nil && made.ID == "" {
		err = fault.New(fault.Permanent, codeSilent, nil)
	}
	return made.ID, err
}

// lead creates the lead record of a new contact. A lead must be created with its contact, which an upsert cannot do: it is
// created with a unique key, and a second try, refused for that key, finds the first one by it.
func (p *portal) lead(ctx context.Context, w batch) {
	if !p.binding.Capabilities.Leads {
		for i := range w.Len() {
			w.Succeed(i, resultSkipped, "true")
		}
		return
	}
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		e := r.delivery.Event
		property := p.binding.Properties.EventKey
		properties := with(fill(
			"hs_lead_name", connector.Cut(strings.TrimPrefix(connector.CalledBy(r.delivery)+" – "+connector.ChannelLabel(e.Channel), " – "), maxLeadName),
			"hs_lead_type", p.binding.LeadType,
			property, connector.MessageKey(e),
			ownerProperty, connector.OwnerOf(r.delivery),
		), w.Fields(i, mapping.Lead, true))
		id, err := p.make(ctx, leads, newRecord(properties, r.contact, leadToPrimaryContact))
		if ofOwner(err) {
			delete(properties, ownerProperty)
			id, err = p.make(ctx, leads, newRecord(properties, r.contact, leadToPrimaryContact))
		}
		if fault.Is(err, codeConflict) {
			var held object
			err = p.call(ctx, http.MethodGet, p.routes.record(leads, connector.MessageKey(e))+"?idProperty="+url.QueryEscape(property), nil, &held)
			id = held.ID
		}
		if err != nil {
			w.Fail(i, err)
			return
		}
		w.Succeed(i, resultRecord, id)
	})
}
