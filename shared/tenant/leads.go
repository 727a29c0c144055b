package tenant

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"signalbox/shared/calendar"
)

// Leads is what a tenant says about new leads.
type Leads struct {
	Staff    []string `json:"staff,omitempty"`    // E.164: whose messages make no lead
	DailyCap int      `json:"dailyCap,omitempty"` // of how many new people a line makes leads in a day; DefaultDailyCap when left out
	People   []Seller `json:"people,omitempty"`   // whom lines may give leads to
	Tell     *bool    `json:"tell,omitempty"`     // false: owners of new leads are not told by a task
	Holidays []string `json:"holidays,omitempty"` // dates as 2006-01-02
	// In how many minutes the CRM's own rules have given a new lead to somebody, until the line's owner is told; DefaultOwnerMinutes when left out.
	OwnerMinutes *int `json:"ownerMinutes,omitempty"`
}

// DefaultOwnerMinutes is in how many minutes the CRM's own rules have given a new lead to somebody.
const DefaultOwnerMinutes = 5

// OwnerWithin returns in what time the CRM's own rules have given a new lead to somebody; zero is at once.
func (l Leads) OwnerWithin() time.Duration {
	if l.OwnerMinutes == nil {
		return DefaultOwnerMinutes * time.Minute
	}
	return time.Duration(*l.OwnerMinutes) * time.Minute
}

// DefaultDailyCap is of how many new people a line makes leads in a day: more than sales teams answer, less than a flood.
const DefaultDailyCap = 1000

// Cap returns of how many new people a line makes leads in a day.
func (l Leads) Cap() int64 { return int64(cmp.Or(l.DailyCap, DefaultDailyCap)) }

// Tells reports whether owners of new leads are told by a task.
func (l Leads) Tells() bool { return l.Tell == nil || *l.Tell }

// Seller is somebody who has leads.
type Seller struct {
	Name  string            `json:"name"`            // what lines call them
	Users map[string]string `json:"users"`           // by the name of a CRM, the id of their user there
	Hours []calendar.Span   `json:"hours,omitempty"` // when they are at work; always when left out
}

// Seller returns the person of this name.
func (l Leads) Seller(name string) (Seller, bool) {
	i := slices.IndexFunc(l.People, func(p Seller) bool { return p.Name == name })
	if i < 0 {
		return Seller{}, false
	}
	return l.People[i], true
}

// Assign is who gets a line's new leads.
type Assign string

// The ways. AssignCRM is the default.
const (
	AssignCRM   Assign = "crm"   // whom the CRM's own rules give them to
	AssignOwner Assign = "owner" // the line's owner
	AssignTurn  Assign = "turn"  // the line's people in turn
)

// LineLeads is what a line does with its new leads.
type LineLeads struct {
	Assign Assign   `json:"assign,omitempty"`
	Owner  string   `json:"owner,omitempty"`  // the name of one of the tenant's people
	People []string `json:"people,omitempty"` // names of the tenant's people
	// How many minutes of the line's hours somebody may wait for an answer until it is told of; zero if it never is.
	WaitMinutes int             `json:"waitMinutes,omitempty"`
	Hours       []calendar.Span `json:"hours,omitempty"` // when people are there to reply on the line; always when left out
}

// leads checks what names others in the file.
func (v *validation) leads(f File) {
	var leads Leads
	if f.Tenant.Leads != nil {
		leads = *f.Tenant.Leads
	}
	crms := map[string]bool{}
	for _, c := range f.Tenant.CRMs {
		crms[c.Name] = true
	}
	named := map[string]bool{}
	for i, p := range leads.People {
		path := fmt.Sprintf("tenant.leads.people[%d]", i)
		v.want(!named[p.Name], path+".name", "is the name of an earlier person")
		named[p.Name] = true
		for _, crm := range slices.Sorted(maps.Keys(p.Users)) {
			v.want(crms[crm], Join(path+".users", crm), "is not the name of a CRM in this file")
		}
	}
	for i, l := range f.Lines {
		if l.Leads == nil {
			continue
		}
		path := fmt.Sprintf("lines[%d].leads", i)
		first := slices.IndexFunc(f.Lines, func(other LineContent) bool { return bare(other.Address) == bare(l.Address) })
		v.want(first == i, path, fmt.Sprintf("is of a line with the address of lines[%d], whose leads hold: it belongs there", first))
		const nobody = "is not the name of one of tenant.leads.people"
		v.want(l.Leads.Owner == "" || named[l.Leads.Owner], path+".owner", nobody)
		v.want(l.Leads.Assign != AssignOwner || l.Leads.Owner != "", path+".owner", "is missing: the name of one of tenant.leads.people, who gets the leads")
		v.want(l.Leads.Assign != AssignTurn || len(l.Leads.People) > 0, path+".people", "is missing: names of tenant.leads.people, who get the leads in turn")
		v.want(l.Leads.WaitMinutes == 0 || l.Leads.Owner != "", path+".owner", "is missing: the name of one of tenant.leads.people, who is told that somebody waits")
		for k, name := range l.Leads.People {
			v.want(named[name], fmt.Sprintf("%s.people[%d]", path, k), nobody)
		}
	}
}
