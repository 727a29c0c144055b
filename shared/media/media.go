// Package media is what the router and those who fetch and show files agree on: which files an event has, the job of fetching them, and the
// links by which they are opened until a time.
package media

import (
	"crypto/subtle"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
)

// CodeJob is the code of a job that cannot be read.
const CodeJob = "media_job_malformed"

// Files returns the files of a message, in an order that stays: its attachments, then those of its cards. They are numbered by it.
func Files(m *canonical.Message) (all []canonical.Attachment) {
	each(m, func(_ int, a *canonical.Attachment) { all = append(all, *a) })
	return all
}

// each calls do with each file of a message and its number.
func each(m *canonical.Message, do func(n int, a *canonical.Attachment)) {
	if m == nil {
		return
	}
	n := 0
	for i := range m.Attachments {
		do(n, &m.Attachments[i])
		n++
	}
	for i := range m.Cards {
		if m.Cards[i].Media != nil {
			do(n, m.Cards[i].Media)
			n++
		}
	}
}

// Job asks for the files of an event.
type Job struct {
	TenantID  string                 `json:"tenantId"`
	EventID   canonical.EventID      `json:"eventId"`
	ThreadID  canonical.ThreadID     `json:"threadId"`
	AccountID string                 `json:"accountId"` // by whose credentials they are read
	Person    string                 `json:"person"`    // with whose key they are kept
	Files     []canonical.Attachment `json:"files"`     // as Files returns them
}

// NewJob returns the job of an event of a person.
func NewJob(e *canonical.Event, person string) Job {
	return Job{TenantID: e.TenantID, EventID: e.EventID, ThreadID: e.ThreadID, AccountID: e.AccountID, Person: person, Files: Files(e.Message)}
}

// Encode returns the JSON of a job.
func (j Job) Encode() []byte {
	data, _ := json.Marshal(j) // of texts and numbers
	return data
}

// Decode reads the JSON of a job.
func Decode(data []byte) (j Job, err error) {
	if err := json.Unmarshal(data, &j); err != nil || j.TenantID == "" || j.EventID == "" || j.ThreadID == "" || j.Person == "" {
		return Job{}, fault.New(fault.Permanent, CodeJob, nil)
	}
	return j, nil
}

// Path is where links lead, below the base URL of the deployment.
const Path = "/v1/media/"

// Link is the right to open one file of an event until a time. Whoever has it needs nothing else.
type Link struct {
	Tenant string
	Event  canonical.EventID
	File   int
	Until  time.Time // whole seconds
}

// Linked returns a message whose files have the addresses of links, below base. The receiver keeps its own.
func Linked(m canonical.Message, base string, p canonical.Pepper, tenant string, event canonical.EventID, until time.Time) canonical.Message {
	m.Attachments, m.Cards = slices.Clone(m.Attachments), slices.Clone(m.Cards)
	for i, c := range m.Cards {
		if c.Media != nil {
			own := *c.Media
			m.Cards[i].Media = &own
		}
	}
	each(&m, func(n int, a *canonical.Attachment) {
		a.URL = base + Path + Link{Tenant: tenant, Event: event, File: n, Until: until}.Token(p)
	})
	return m
}

// macLength is how many hex digits of the MAC are in a token: as many as an event's id has.
const macLength = 32

// Token returns the text of a link, which holds a MAC under the tenant's key.
func (l Link) Token(p canonical.Pepper) string {
	said := string(l.Event) + "." + strconv.Itoa(l.File) + "." + strconv.FormatInt(l.Until.Unix(), 36)
	return l.Tenant + "." + said + "." + canonical.Digest(p, "media-link", said)[:macLength]
}

// Tenant returns whose link a token says that it is; "" if it is none. Only Parse proves it.
func Tenant(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) < 5 {
		return ""
	}
	name := strings.Join(parts[:len(parts)-4], ".")
	if !canonical.IsName(name) {
		return ""
	}
	return name
}

// Parse reads a token of a tenant with this pepper. It is not ok unless Token made it.
func Parse(token, tenant string, p canonical.Pepper) (l Link, ok bool) {
	said, ok := strings.CutPrefix(token, tenant+".")
	parts := strings.Split(said, ".")
	if !ok || len(parts) != 4 {
		return Link{}, false
	}
	file, err := strconv.Atoi(parts[1])
	if err != nil {
		return Link{}, false
	}
	until, err := strconv.ParseInt(parts[2], 36, 64)
	if err != nil {
		return Link{}, false
	}
	l = Link{Tenant: tenant, Event: canonical.EventID(parts[0]), File: file, Until: time.Unix(until, 0)}
	if subtle.ConstantTimeCompare([]byte(token), []byte(l.Token(p))) != 1 {
		return Link{}, false
	}
	return l, true
}
