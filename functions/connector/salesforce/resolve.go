package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// maxLookups is how many requests one composite call takes.
const maxLookups = 25

// person is a contact or lead as far as is read of it.
type person struct {
	Attributes struct {
		Type string `json:"type"`
	} `json:"attributes"`
	ID          string `json:"Id"`
	FirstName   string `json:"FirstName"`
	LastName    string `json:"LastName"`
	Key         string `json:"Msg_Sender_Key__c"`
	Phone       string `json:"Phone"`
	MobilePhone string `json:"MobilePhone"`
	HomePhone   string `json:"HomePhone"`
	OtherPhone  string `json:"OtherPhone"`
	MailingCode string `json:"MailingCountryCode"`
	Mailing     string `json:"MailingCountry"`
	CountryCode string `json:"CountryCode"`
	Country     string `json:"Country"`
	Modified    string `json:"LastModifiedDate"`
	Converted   bool   `json:"IsConverted"`
	ConvertedTo string `json:"ConvertedContactId"`

	rule string // that chose it among several
}

// readFields returns what is read of an object.
func (o *org) readFields(object string) []string {
	fields, code := []string{"Id", fieldPersonKey, "Phone", "MobilePhone", "Country", "LastModifiedDate", "FirstName", "LastName", "IsConverted", "ConvertedContactId"}, "CountryCode"
	if object == contactObject {
		fields = []string{"Id", fieldPersonKey, "Phone", "MobilePhone", "HomePhone", "OtherPhone", "MailingCountry", "LastModifiedDate", "FirstName", "LastName"}
		code = "MailingCountryCode"
	}
	if o.binding.Capabilities.CountryCodes { // an org without picklists of countries refuses a request that names the field
		fields = append(fields, code)
	}
	return fields
}

// who returns the record that messages go to: a lead that was converted stands for its contact.
func (p person) who() string {
	if p.Converted {
		return p.ConvertedTo
	}
	return p.ID
}

func (p person) modified() time.Time { return instantOf(p.Modified) }

// choose returns the one of several persons to whom messages go, and the rule that chose.
func choose(several []person) (person, string) {
	return connector.Choose(several, []connector.Rule[person]{
		{Name: connector.RuleContact, Has: func(p person) bool { return kindOf(p.who()) == contactObject }},
		{Name: connector.RuleWritten, Has: func(p person) bool { return p.Key != "" }},
	}, func(a, b person) int { return cmp.Or(a.modified().Compare(b.modified()), cmp.Compare(b.ID, a.ID)) })
}

// lookup is one record that may be the person: by our key, by e-mail, or the one that was linked and turned out to be gone.
type lookup struct {
	object, field, value string
	byEmail              bool
}

func lookupsOf(r Request) []lookup {
	var all []lookup
	p := r.Delivery.Person
	for _, object := range []string{contactObject, leadObject} {
		if p.Key != "" {
			all = append(all, lookup{object, fieldPersonKey, p.Key, false})
		}
	}
	if kindOf(r.Gone) == leadObject { // converted, perhaps: then it says to whom
		all = append(all, lookup{object: leadObject, value: r.Gone})
	}
	if email := connector.EmailOf(r.Delivery); email != "" && !p.Unmatched {
		for _, object := range []string{contactObject, leadObject} {
			all = append(all, lookup{object, "Email", email, true})
		}
	}
	return all
}

func (l lookup) url(o *org) string {
	parts := []string{"sobjects", l.object, l.field, url.PathEscape(l.value)}
	if l.field == "" {
		parts = slices.Delete(parts, 2, 3)
	}
	return o.path(strings.Join(parts, "/")) + "?fields=" + strings.Join(o.readFields(l.object), ",")
}

// resolve finds the lead or contact of each step: by our key, then by e-mail, then by phone. Who is found by e-mail or phone
// gets our key if there is none, so that the next message finds them by it and a choice among several stays the same. A key
// that is there is never replaced: it is another person's, or the same person's under another identifier.
func (o *org) resolve(ctx context.Context, w batch) {
	answers := make(map[string]nodeReply)
	var looked []int
	connector.Rows{
		Most: maxLookups,
		Size: func(i int) int { return len(lookupsOf(w.Request(i))) },
		Call: func(at []int) ([]int, error) {
			err := o.look(ctx, w, at, answers)
			if err == nil {
				looked = append(looked, at...)
			}
			return nil, err
		},
		Fail: w.Fail,
	}.Send(w.All())
	w.Each(looked, func(i int) { o.choose(ctx, w, i, answers) })
}

// look makes one composite call for the steps at.
func (o *org) look(ctx context.Context, w batch, at []int, answers map[string]nodeReply) error {
	var nodes []node
	for _, i := range at {
		for k, l := range lookupsOf(w.Request(i)) {
			nodes = append(nodes, node{http.MethodGet, l.url(o), reference(i, k), nil})
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	var reply struct {
		Nodes []nodeReply `json:"compositeResponse"`
	}
	err := o.call(ctx, http.MethodPost, o.path("composite"), connector.Object{"allOrNone", false, "compositeRequest", nodes}, &reply)
	for _, n := range reply.Nodes {
		answers[n.ReferenceID] = n
	}
	return err
}

func reference(i, k int) string { return "p" + strconv.Itoa(i) + "_" + strconv.Itoa(k) }

// choose concludes a step with the first of a step's lookups that found somebody, or searches.
func (o *org) choose(ctx context.Context, w batch, i int, answers map[string]nodeReply) {
	r := w.Request(i)
	lost := r.Gone // until it is known whom it was merged into
	for k, l := range lookupsOf(r) {
		if l.byEmail && lost != "" && o.follow(ctx, w, i) {
			return
		}
		if l.byEmail {
			lost = ""
		}
		found, err := o.found(ctx, l, answers[reference(i, k)])
		if err == nil && found.Converted && r.Gone != "" { // no third one is looked for
			found, err = o.contactOf(ctx, found)
		}
		if err != nil {
			w.Fail(i, err)
			return
		}
		if found.ID == "" || found.who() == "" || found.who() == r.Gone { // nobody, or who turned out to be gone
			continue
		}
		o.identify(ctx, w, i, found)
		return
	}
	switch {
	case lost != "" && o.follow(ctx, w, i):
	case r.Delivery.Person.Phone == "" || r.Delivery.Person.Unmatched:
		w.Succeed(i)
	default:
		o.searchPhone(ctx, w, i)
	}
}

// follow concludes a step with whom its lost person was merged into, unless it returns false.
func (o *org) follow(ctx context.Context, w batch, i int) bool {
	merged, err := o.successor(ctx, w.Request(i).Gone)
	switch {
	case err != nil:
		w.Fail(i, err)
	case merged.ID == "" || merged.who() == "":
		return false
	default:
		o.identify(ctx, w, i, merged)
	}
	return true
}

// found reads one lookup's answer; nobody is a person without an id. Of several with one address the best is taken; several
// with one key are for a person to repair.
func (o *org) found(ctx context.Context, l lookup, n nodeReply) (person, error) {
	var p person
	switch n.Status {
	case 0:
		return p, fault.New(fault.Retryable, "salesforce_graph_unanswered", nil)
	case http.StatusOK:
		if err := json.Unmarshal(n.Body, &p); err != nil || p.ID == "" {
			return p, fault.New(fault.Retryable, codeUndecodable, nil)
		}
		return p, nil
	case http.StatusMultipleChoices:
		var urls []string
		if l.byEmail && json.Unmarshal(n.Body, &urls) == nil && len(urls) > 0 {
			return o.best(ctx, l.object, urls)
		}
	}
	err := sorted(n.Status, topLevel(n.Body), usage{})
	switch {
	case err.Code == codeNotFound, l.field == "" && err.Code == codeGone:
		return person{}, nil
	case l.byEmail && err.Kind == fault.Permanent: // an address that Salesforce cannot look for is nobody's
		return person{}, nil
	}
	return p, err
}

// best reads several records and returns the best of them.
func (o *org) best(ctx context.Context, object string, urls []string) (person, error) {
	var ids []string
	for _, u := range urls[:min(len(urls), maxRows)] {
		if id := path.Base(u); kindOf(id) == object {
			ids = append(ids, id)
		}
	}
	var found []*person
	request := connector.Object{"ids", ids, "fields", o.readFields(object)}
	if err := o.call(ctx, http.MethodPost, o.path("composite/sobjects/"+object), request, &found); err != nil {
		return person{}, err
	}
	var several []person
	for _, p := range found {
		if p != nil && p.who() != "" {
			several = append(several, *p)
		}
	}
	if len(several) == 0 {
		return person{}, nil
	}
	best, rule := choose(several)
	best.rule = rule
	o.ambiguous(ctx, len(ids), best)
	return best, nil
}

func (o *org) ambiguous(ctx context.Context, several int, chosen person) {
	o.crm.options.Logger.WarnContext(ctx, "several records may be the person; a rule chose one",
		slog.String("tenant", o.at.Tenant), slog.String("code", "ambiguous"), slog.String("rule", chosen.rule), slog.Int("records", several), slog.String("record", chosen.ID))
	o.crm.options.Meter.Count("SalesforceAmbiguousPerson", 1)
}

// get returns one contact or lead by id; without an id when it is not there.
func (o *org) get(ctx context.Context, id string) (person, error) {
	var p person
	object := kindOf(id)
	if object == "" {
		return p, nil
	}
	err := o.call(ctx, http.MethodGet, o.path("sobjects/"+object+"/"+url.PathEscape(id))+"?fields="+strings.Join(o.readFields(object), ","), nil, &p)
	if missing(err) {
		return person{}, nil
	}
	return p, err
}

// maxMerges is how many merges of one person are followed.
const maxMerges = 3

// successor returns whom a record that is gone was merged into, without an id if it was not. A merged record lies in the recycle bin, where
// a query of all rows finds it until it is emptied.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contact.htm.
func (o *org) successor(ctx context.Context, gone string) (person, error) {
	for range maxMerges {
		object := kindOf(gone)
		if object == "" {
			break
		}
		query := "SELECT MasterRecordId FROM " + object + " WHERE Id = '" + gone + "'"
		records, _, err := queried[struct {
			Master string `json:"MasterRecordId"`
		}](ctx, o, "queryAll", query)
		if err != nil {
			return person{}, err
		}
		if len(records) == 0 || kindOf(records[0].Master) == "" {
			break
		}
		gone = records[0].Master
		if p, err := o.get(ctx, gone); err != nil || p.ID != "" {
			return p, err
		}
	}
	return person{}, nil
}

// contactOf returns the contact of a converted lead, or whom that one was merged into, without an id if it is gone.
func (o *org) contactOf(ctx context.Context, lead person) (person, error) {
	if p, err := o.get(ctx, lead.ConvertedTo); err != nil || p.ID != "" {
		return p, err
	}
	return o.successor(ctx, lead.ConvertedTo)
}

// adopt returns the first of ids that messages can go to and gives it our key, "" when there is none. Past reports whether one
// of them is a lead that was converted to a contact who is gone.
func (o *org) adopt(ctx context.Context, r Request, ids []string) (who string, past bool, err error) {
	for _, id := range ids[:min(len(ids), 3)] {
		p, err := o.get(ctx, id)
		if err != nil {
			return "", false, err
		}
		if p.Converted {
			if p, err = o.contactOf(ctx, p); err != nil {
				return "", false, err
			}
			past = past || p.ID == ""
		}
		if p.ID == "" || p.who() == "" || p.who() == r.Gone {
			continue
		}
		if there, err := o.stamp(ctx, r, p); err != nil || there {
			return p.who(), false, err
		}
	}
	return "", past, nil
}

// identify concludes a step with a person.
func (o *org) identify(ctx context.Context, w batch, i int, found person) {
	switch there, err := o.stamp(ctx, w.Request(i), found); {
	case err != nil:
		w.Fail(i, err)
	case !there: // deleted a moment ago: searches find it a while longer
		w.Succeed(i)
	default:
		known := named(w.Request(i).Delivery, found.FirstName, found.LastName) // a contact has the name of its lead
		w.Succeed(i, resultWho, found.who(), connector.ResultNamed, strconv.FormatBool(known), connector.ResultRule, found.rule)
	}
}

// stamp gives a person who was not found by our key that key, and reports whether the person is still there. Should another one
// have taken the key in between, this one stays without: the next message finds the other.
func (o *org) stamp(ctx context.Context, r Request, found person) (there bool, err error) {
	if found.Key != "" || r.Delivery.Person.Key == "" || found.Converted {
		return true, nil
	}
	body := connector.Object{fieldPersonKey, r.Delivery.Person.Key}
	err = o.call(ctx, http.MethodPatch, o.path("sobjects/"+kindOf(found.ID)+"/"+url.PathEscape(found.ID)), body, nil)
	switch {
	case missing(err):
		return false, nil
	case fault.Is(err, codeDuplicateValue) && ofOurKey(err):
		return true, nil
	default:
		return true, err
	}
}

// Bounds of a search. Numbers with the same national digits are few.
const (
	searchEach = 50
	searchAll  = 100
)

// searchPhone finds persons by number. Salesforce keeps what was typed, so that it is asked for digits alone, and the numbers of
// whoever it finds are compared.
func (o *org) searchPhone(ctx context.Context, w batch, i int) {
	r := w.Request(i)
	for _, digits := range connector.SearchDigits(r.Delivery.Person.Phone) {
		same, err := o.withPhone(ctx, r.Delivery.Person, r.Gone, digits)
		switch {
		case err != nil:
			w.Fail(i, err)
			return
		case len(same) > 0:
			chosen, rule := choose(same)
			chosen.rule = rule
			if len(same) > 1 {
				o.ambiguous(ctx, len(same), chosen)
			}
			o.identify(ctx, w, i, chosen)
			return
		}
	}
	w.Succeed(i)
}

// withPhone returns those who are found by digits of a person's number and have it, without one that is lost.
func (o *org) withPhone(ctx context.Context, of delivery.Person, lost, digits string) ([]person, error) {
	if len(digits) < 2 { // what Salesforce searches for at least
		return nil, nil
	}
	var objects []connector.Object
	for _, object := range []string{contactObject, leadObject} {
		objects = append(objects, connector.Object{"name", object, "fields", o.readFields(object), "limit", searchEach})
	}
	request := connector.Object{"q", digits, "in", "PHONE", "overallLimit", searchAll, "sobjects", objects}
	var reply struct {
		Records *[]person `json:"searchRecords"`
	}
	if err := o.call(ctx, http.MethodPost, o.path("parameterizedSearch"), request, &reply); err != nil {
		return nil, err
	}
	if reply.Records == nil {
		return nil, fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return slices.DeleteFunc(*reply.Records, func(c person) bool {
		return c.who() == "" || c.who() == lost || c.ID == lost || !c.hasPhone(of)
	}), nil
}

// hasPhone reports whether one of a record's numbers is a person's, read with the record's own country where it is known,
// otherwise with the tenant's region.
func (p person) hasPhone(of delivery.Person) bool {
	in := connector.RegionOf(of.Region, p.MailingCode, p.Mailing, p.CountryCode, p.Country)
	return connector.SameNumber(of.Phone, in, p.Phone, p.MobilePhone, p.HomePhone, p.OtherPhone)
}
