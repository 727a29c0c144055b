package hubspot

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// resolve finds the contact of each step: by our key, then by e-mail, then by phone. A contact found by e-mail or phone gets
// our key if it has none, so that the next message finds it in one call and a choice among several stays the same. A key that
// is there is never replaced: it is another person's, or the same person's under another identifier.
func (p *portal) resolve(ctx context.Context, w batch) {
	w.Each(p.resolveByKey(ctx, w, p.resolveMerged(ctx, w)), func(i int) {
		if w.Request(i).delivery.Person.Unmatched {
			w.Succeed(i)
			return
		}
		switch found := p.resolveByEmail(ctx, w, i); {
		case found:
		case w.Request(i).delivery.Person.Phone == "":
			w.Succeed(i)
		default:
			p.resolveByPhone(ctx, w, i)
		}
	})
}

// resolveMerged returns the steps whose contact was not merged into another. A merged contact is read by the id of either of the two. See https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies.
func (p *portal) resolveMerged(ctx context.Context, w batch) (open []int) {
	for i := range w.Len() {
		gone := w.Request(i).gone
		if gone == "" {
			open = append(open, i)
			continue
		}
		found, err := p.read(ctx, contacts, "", []string{gone}, []string{p.binding.Properties.SenderKey, firstName, lastName})
		switch {
		case err != nil:
			w.Fail(i, err)
		case len(found) > 0 && found[0].ID != gone:
			p.identify(ctx, w, i, found[0], "")
		default:
			open = append(open, i)
		}
	}
	return open
}

// resolveByKey returns those of the steps at for which nobody was found.
func (p *portal) resolveByKey(ctx context.Context, w batch, at []int) (open []int) {
	key := p.binding.Properties.SenderKey
	var ids []string
	for _, i := range at {
		if id := w.Request(i).delivery.Person.Key; id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	found, err := p.read(ctx, contacts, key, ids, []string{key, firstName, lastName})
	held := make(map[string]object, len(found))
	for _, o := range found {
		held[o.Properties[key]] = o
	}
	for _, i := range at {
		if err != nil {
			w.Fail(i, err)
			continue
		}
		if o := held[w.Request(i).delivery.Person.Key]; o.ID != "" {
			w.Succeed(i, resultContact, o.ID, connector.ResultNamed, named(w.Request(i), o.Properties))
			continue
		}
		open = append(open, i)
	}
	return open
}

// resolveByEmail reports whether a step is concluded. Each address is looked up for itself: a contact may have a secondary
// address, which the reply to several would not tell apart.
func (p *portal) resolveByEmail(ctx context.Context, w batch, i int) bool {
	email := connector.EmailOf(w.Request(i).delivery)
	if email == "" {
		return false
	}
	found, err := p.read(ctx, contacts, "email", []string{email}, []string{p.binding.Properties.SenderKey, firstName, lastName})
	switch {
	case err != nil:
		w.Fail(i, err)
	case len(found) == 0:
		return false
	default:
		p.identify(ctx, w, i, found[0], "")
	}
	return true
}

func (p *portal) resolveByPhone(ctx context.Context, w batch, i int) {
	person := w.Request(i).delivery.Person
	candidates, err := p.search(ctx, person.Phone)
	if err != nil {
		w.Fail(i, err)
		return
	}
	candidates = slices.DeleteFunc(candidates, func(o object) bool { return o.ID == w.Request(i).gone })
	matching := samePhone(candidates, person.Phone, person.Region)
	if len(matching) == 0 {
		w.Succeed(i)
		return
	}
	names := p.binding.Properties
	chosen, rule := connector.Choose(matching, []connector.Rule[object]{
		{Name: connector.RuleWritten, Has: func(o object) bool { return o.Properties[names.SenderKey] != "" }},
		{Name: connector.RuleOwned, Has: func(o object) bool { return o.Properties[propertyOwner] != "" }},
	}, func(a, b object) int { return cmp.Or(a.modified().Compare(b.modified()), cmp.Compare(b.ID, a.ID)) })
	if len(matching) > 1 {
		p.crm.options.Logger.WarnContext(ctx, "several contacts have the phone number; a rule chose one", slog.String("tenant", p.of.Tenant),
			slog.String("code", "ambiguous"), slog.String("rule", rule), slog.Int("contacts", len(matching)), slog.String("contact", chosen.ID))
		p.crm.options.Meter.Count("HubSpotAmbiguousContact", 1)
	}
	p.identify(ctx, w, i, chosen, rule)
}

func (o object) modified() time.Time {
	for _, at := range []string{o.Properties["lastmodifieddate"], o.UpdatedAt} {
		if t, err := time.Parse(time.RFC3339, at); err == nil {
			return t
		}
	}
	return time.Time{}
}

// identify concludes a step with a contact that was not found by our key, but perhaps by a rule among several, and gives it that key. Should another contact have taken the key
// in between, this one stays without: the next message finds the other.
func (p *portal) identify(ctx context.Context, w batch, i int, found object, rule string) {
	key := p.binding.Properties.SenderKey
	person := w.Request(i).delivery.Person
	if found.Properties[key] == "" && person.Key != "" {
		stamp := connector.Object{"properties", connector.Object{key, person.Key}}
		err := p.call(ctx, http.MethodPatch, p.routes.record(contacts, found.ID), stamp, nil)
		switch {
		case fault.Is(err, codeNotFound): // deleted a moment ago: searches find it a while longer
			w.Succeed(i)
			return
		case err != nil && !fault.Is(err, codeConflict):
			w.Fail(i, err)
			return
		}
	}
	w.Succeed(i, resultContact, found.ID, connector.ResultNamed, named(w.Request(i), found.Properties), connector.ResultRule, rule)
}

// create makes the contacts that were not found: those that are given to somebody one by one, the others together. None is
// upserted: what is there by now is somebody's, who may have edited it.
func (p *portal) create(ctx context.Context, w batch) {
	var given, rest []int
	for i := range w.Len() {
		switch d := w.Request(i).delivery; {
		case d.Person.Key == "":
			w.Fail(i, fault.New(fault.Permanent, "hubspot_person_key_missing", nil))
		case connector.OwnerOf(d) != "":
			given = append(given, i)
		default:
			rest = append(rest, i)
		}
	}
	refused := make([]bool, w.Len())
	w.Each(given, func(i int) { refused[i] = p.createOwned(ctx, w, i) })
	for _, i := range given {
		if refused[i] {
			rest = append(rest, i)
		}
	}
	p.createTogether(ctx, w, rest)
}

// contactOf returns what the new contact of a step looks like.
func (p *portal) contactOf(w batch, i int, d delivery.Delivery) map[string]string {
	return with(newContact(d, p.binding.Properties), w.Fields(i, mapping.Person, true))
}

// createTogether makes the contacts of the steps at without an owner.
func (p *portal) createTogether(ctx context.Context, w batch, at []int) {
	at = slices.DeleteFunc(slices.Clone(at), func(i int) bool { return p.keyless(w, i) })
	rows := make([]input, len(at))
	for k, i := range at {
		d := connector.WithoutOwner(w.Request(i).delivery)
		rows[k] = input{ID: d.Person.Key, Properties: p.contactOf(w, i, d), Associations: []connector.Object{}}
	}
	var taken []int
	for k, r := range p.write(ctx, contacts, "create", rows) {
		i := at[k]
		switch id := existing(r.err); {
		case r.err == nil:
			w.Succeed(i, resultContact, r.object.ID, connector.ResultMade, connector.MadeNow, connector.ResultNamed, strconv.FormatBool(connector.CarriesName(w.Request(i).delivery)))
		case id != "":
			w.Succeed(i, resultContact, id, resultAdopted, "true")
		case fault.Is(r.err, codeErased):
			p.forgo(ctx, w, i)
		case fault.Is(r.err, codeConflict):
			taken = append(taken, i)
		default:
			w.Fail(i, r.err)
		}
	}
	p.takeOver(ctx, w, taken)
}

// keyless reports whether a step has failed because its person has no key: nothing would find the contact again.
func (p *portal) keyless(w batch, i int) bool {
	if w.Request(i).delivery.Person.Key != "" {
		return false
	}
	w.Fail(i, fault.New(fault.Permanent, "hubspot_person_key_missing", nil))
	return true
}

// takeOver concludes the steps at with the contacts that have their persons' keys by now: an earlier try made them, or another thread of the
// same person.
func (p *portal) takeOver(ctx context.Context, w batch, at []int) {
	key := p.binding.Properties.SenderKey
	ids := make([]string, len(at))
	for k, i := range at {
		ids[k] = w.Request(i).delivery.Person.Key
	}
	found, err := p.read(ctx, contacts, key, ids, []string{key, firstName, lastName})
	for k, i := range at {
		n := slices.IndexFunc(found, func(o object) bool { return o.Properties[key] == ids[k] })
		switch {
		case err != nil:
			w.Fail(i, err)
		case n < 0:
			w.Fail(i, raced(fault.New(fault.Permanent, codeConflict, nil)))
		default:
			w.Succeed(i, resultContact, found[n].ID, connector.ResultMade, connector.MadeBefore, connector.ResultNamed, named(w.Request(i), found[n].Properties))
		}
	}
}

// createOwned makes a contact of somebody's and reports whether the portal refuses that one. It is no upsert: one that finds the
// contact there would give it to somebody a second time.
func (p *portal) createOwned(ctx context.Context, w batch, i int) (ownerRefused bool) {
	if p.keyless(w, i) {
		return false
	}
	d := w.Request(i).delivery
	made, err := p.make(ctx, contacts, connector.Object{"properties", p.contactOf(w, i, d), "associations", []connector.Object{}})
	switch id := existing(err); {
	case err == nil:
		w.Succeed(i, resultContact, made, connector.ResultMade, connector.MadeNow, connector.ResultNamed, strconv.FormatBool(connector.CarriesName(d)))
	case ofOwner(err):
		p.crm.options.Logger.WarnContext(ctx, "the portal refuses the owner of a new contact, which is made without one",
			slog.String("tenant", p.of.Tenant), slog.String("crm", p.of.CRM))
		return true
	case id != "":
		w.Succeed(i, resultContact, id, resultAdopted, "true")
	case fault.Is(err, codeErased):
		p.forgo(ctx, w, i)
	case fault.Is(err, codeConflict):
		p.takeOver(ctx, w, []int{i})
	default:
		w.Fail(i, err)
	}
	return false
}

// forgo concludes a step without a contact: the portal erased the person, and nothing is written of them again.
func (p *portal) forgo(ctx context.Context, w batch, i int) {
	p.crm.options.Logger.WarnContext(ctx, "the portal has erased the person, of whom nothing is written",
		slog.String("tenant", p.of.Tenant), slog.String("crm", p.of.CRM), slog.String("code", codeErased))
	w.Succeed(i, resultErased, "true")
}
