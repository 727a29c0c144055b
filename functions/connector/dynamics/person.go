package dynamics

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
)

// person is a contact or lead as far as is read of it.
type person struct {
	ETag       string `json:"@odata.etag"`
	ContactID  string `json:"contactid"`
	LeadID     string `json:"leadid"`
	Key        string `json:"msg_senderkey"`
	FirstName  string `json:"firstname"`
	LastName   string `json:"lastname"`
	Mobile     string `json:"mobilephone"`
	Telephone1 string `json:"telephone1"`
	Telephone2 string `json:"telephone2"`
	Telephone3 string `json:"telephone3"`
	Country    string `json:"address1_country"`
	Created    string `json:"createdon"`
	Modified   string `json:"modifiedon"`
	State      int    `json:"statecode"`
	User       string `json:"_owninguser_value"` // "" of whom a team owns
	Master     string `json:"_masterid_value"`   // into which it was merged
	Contact    string `json:"_parentcontactid_value"`
	Consent    string `json:"msg_consent"`
	LastReply  string `json:"msg_lastreplyat"`
	Stop       bool   `json:"msg_stopautomation"`
	StatusSet  string `json:"msg_statussetat"`

	changed connector.Object // what is to be written
	unread  error            // why it is not known what the row says
}

// qualified is the state of a lead that became a contact, as a rule.
const qualified = 1

// selected returns what is read of a set of persons.
func selected(set string) string {
	columns := "msg_senderkey,firstname,lastname,mobilephone,telephone1,telephone2,telephone3,address1_country,createdon,modifiedon,statecode," +
		"_owninguser_value,_masterid_value,msg_consent,msg_lastreplyat,msg_stopautomation,msg_statussetat"
	if set == leads {
		return "?$select=leadid,_parentcontactid_value," + columns
	}
	return "?$select=contactid," + columns
}

// getPerson returns the request that reads who is somewhere.
func getPerson(path, set string) part { return get(path + selected(set)) }

// who returns where the row is.
func (p person) who() string {
	if p.LeadID != "" {
		return leads + "(" + p.LeadID + ")"
	}
	return contacts + "(" + p.ContactID + ")"
}

// heir returns the row that stands for the person by now: the one that this one was merged into, or the contact that a lead became. It is ""
// if this one does.
func (p person) heir() string {
	switch {
	case p.Master != "" && p.LeadID != "":
		return leads + "(" + p.Master + ")"
	case p.Master != "":
		return contacts + "(" + p.Master + ")"
	case p.LeadID != "" && p.State == qualified && p.Contact != "":
		return contacts + "(" + p.Contact + ")"
	default:
		return ""
	}
}

// instant reads a time as Dataverse writes it, zero where there is none. It keeps whole seconds.
func instant(written string) time.Time {
	t, _ := time.Parse(time.RFC3339, written)
	return t.UTC()
}

func (p person) hasPhone(of delivery.Person) bool {
	return connector.SameNumber(of.Phone, connector.RegionOf(of.Region, p.Country), p.Mobile, p.Telephone1, p.Telephone2, p.Telephone3)
}

// choose returns the one of several persons to whom messages go, and the rule that chose.
func choose(several []person) (person, string) {
	return connector.Choose(several, []connector.Rule[person]{
		{Name: connector.RuleContact, Has: func(p person) bool { return p.ContactID != "" }},
		{Name: connector.RuleWritten, Has: func(p person) bool { return p.Key != "" }},
	}, func(a, b person) int {
		return cmp.Or(instant(a.Modified).Compare(instant(b.Modified)), cmp.Compare(b.who(), a.who()))
	})
}

// resolve finds the lead or contact of each step: by our key, then by e-mail, then by phone. Who is found by e-mail or phone gets our key if
// there is none, so that the next message finds them by it and a choice among several stays the same. A key that is there is never replaced:
// it is another person's, or the same person's under another identifier.
func (e *environment) resolve(ctx context.Context, w batch) {
	rows := make([][]part, w.Len())
	for i := range rows {
		rows[i] = e.lookups(w.Request(i))
	}
	replies := e.exchange(ctx, rows)
	w.Each(w.All(), func(i int) {
		found, rule, err := e.find(ctx, w.Request(i), replies[i])
		if err == nil && found != nil {
			err = e.stamp(ctx, w.Request(i), found)
		}
		switch {
		case missing(err), err == nil && found == nil: // deleted a moment ago, or nobody
			w.Succeed(i)
		case err != nil:
			w.Fail(i, e.explained(ctx, err))
		default:
			w.Succeed(i, resultWho, found.who(), connector.ResultNamed, strconv.FormatBool(named(w.Request(i).Delivery, *found)), connector.ResultRule, rule)
		}
	})
}

// lookups returns the requests for who may be the person: by our key and by e-mail, contacts before leads, and for who turned out to be gone
// and may say who stands for them.
func (e *environment) lookups(r Request) []part {
	var all []part
	for _, set := range e.sets() {
		if keyForm.MatchString(r.Delivery.Person.Key) {
			all = append(all, getPerson(byKey(set, senderKey, r.Delivery.Person.Key), set))
		}
	}
	if set := setOf(r.Gone); set != "" {
		all = append(all, getPerson(r.Gone, set))
	}
	if email := connector.EmailOf(r.Delivery); email != "" && !r.Delivery.Person.Unmatched {
		for _, set := range e.sets() {
			all = append(all, query(set, "emailaddress1 eq '"+strings.ReplaceAll(email, "'", "''")+"'"))
		}
	}
	return all
}

// candidates is how many persons a query returns. Numbers with the same national digits are few.
const candidates = "50"

// query returns the request for the active persons of a set that a filter lets through.
func query(set, filter string) part {
	condition := strings.ReplaceAll(url.QueryEscape("("+filter+") and statecode eq 0"), "+", "%20")
	return get(set + selected(set) + "&$filter=" + condition + "&$top=" + candidates)
}

// find returns the first person whom the replies to a step's lookups name, or who has the phone number, and the rule that chose among several;
// nil for nobody.
func (e *environment) find(ctx context.Context, r Request, replies []reply) (*person, string, error) {
	for _, told := range replies {
		if missing(told.err) {
			continue
		}
		some, err := personsOf(told)
		if err != nil {
			return nil, "", err
		}
		if found, rule, err := e.best(ctx, r, some); found != nil || err != nil {
			return found, rule, err
		}
	}
	return e.search(ctx, r)
}

// search returns who has the phone number, and the rule that chose among several.
func (e *environment) search(ctx context.Context, r Request) (*person, string, error) {
	if r.Delivery.Person.Phone == "" || r.Delivery.Person.Unmatched {
		return nil, "", nil
	}
	for _, digits := range connector.SearchDigits(r.Delivery.Person.Phone) {
		same, err := e.withPhone(ctx, r.Delivery.Person, digits)
		if err != nil {
			return nil, "", err
		}
		if found, rule, err := e.best(ctx, r, same); found != nil || err != nil {
			return found, rule, err
		}
	}
	return nil, "", nil
}

// best returns the best of several persons, or who stands for that one by now, nil if that is who turned out to be gone.
func (e *environment) best(ctx context.Context, r Request, several []person) (*person, string, error) {
	var left []person
	for _, p := range several {
		current, err := e.follow(ctx, p)
		if err != nil {
			return nil, "", err
		}
		if current.who() != r.Gone {
			left = append(left, current)
		}
	}
	if len(left) == 0 {
		return nil, "", nil
	}
	chosen, rule := choose(left)
	if len(left) > 1 {
		e.crm.options.Logger.WarnContext(ctx, "several rows may be the person; a rule chose one",
			slog.String("tenant", e.at.Tenant), slog.String("code", "ambiguous"), slog.String("rule", rule), slog.Int("rows", len(left)), slog.String("row", chosen.who()))
		e.crm.options.Meter.Count("DynamicsAmbiguousPerson", 1)
	}
	return &chosen, rule, nil
}

// longestLine bounds how many rows in turn stand for each other.
const longestLine = 8

// follow returns who stands for a person by now. An heir who is not there leaves the person.
func (e *environment) follow(ctx context.Context, p person) (person, error) {
	for range longestLine {
		heir, err := e.heirOf(ctx, p)
		if heir == "" || err != nil {
			return p, err
		}
		var next person
		err = e.exchange(ctx, [][]part{{getPerson(heir, setOf(heir))}})[0][0].read(&next)
		if missing(err) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		p = next
	}
	return p, nil
}

// heirOf returns who stands for a person by now, "" if they do themselves. A qualified lead does not always name its contact: then the contact
// names the lead.
func (e *environment) heirOf(ctx context.Context, p person) (string, error) {
	if heir := p.heir(); heir != "" || p.LeadID == "" || p.State != qualified {
		return heir, nil
	}
	made, err := personsOf(e.exchange(ctx, [][]part{{query(contacts, "_originatingleadid_value eq "+p.LeadID)}})[0][0])
	if err != nil || len(made) == 0 {
		return "", err
	}
	return made[0].who(), nil
}

// withPhone returns those who are found by digits of a person's number and have it. Dataverse keeps what was typed, and is asked for the digits
// with anything between them; a comparison of the numbers leaves those that are the same.
// See https://learn.microsoft.com/power-apps/developer/data-platform/wildcard-characters.
func (e *environment) withPhone(ctx context.Context, of delivery.Person, digits string) ([]person, error) {
	var either []string
	for _, column := range []string{"mobilephone", "telephone1", "telephone2", "telephone3"} {
		either = append(either, "contains("+column+",'"+strings.Join(strings.Split(digits, ""), "%")+"')")
	}
	filter := strings.Join(either, " or ")
	var parts []part
	for _, set := range e.sets() {
		parts = append(parts, query(set, filter))
	}
	var same []person
	for _, told := range e.exchange(ctx, [][]part{parts})[0] {
		found, err := personsOf(told)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			if p.hasPhone(of) {
				same = append(same, p)
			}
		}
	}
	return same, nil
}

// stamp gives a person who was not found by our key that key. Should another one of the table have taken the key in between, this one stays
// without: the next message finds the other.
func (e *environment) stamp(ctx context.Context, r Request, found *person) error {
	if found.Key != "" || !keyForm.MatchString(r.Delivery.Person.Key) {
		return nil
	}
	err := e.exchange(ctx, [][]part{{held(found.who(), "*", connector.Object{senderKey, r.Delivery.Person.Key})}})[0][0].err
	if exists(err) {
		return nil
	}
	return err
}
