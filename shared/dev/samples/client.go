package samples

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/tenant/tenantfile"
)

// DemoTenant is the tenant file whose accounts and lines the samples are of.
const DemoTenant = "events/tenants/demo.json"

// Target is where samples are sent, and where they are to arrive.
type Target struct {
	Gateway       string               // base URL of the HTTP API
	Host          string               // the Host header, where it is not the gateway's
	PublicBaseURL string               // what signatures are made over
	CRMs          map[string]Simulator // by the binding's name
	Rests         func() bool          // reports whether nothing is under way any more; nil when nobody can tell
	Now           func() time.Time     // of signatures; nil is time.Now
	HTTP          *http.Client         // for webhooks; nil is one that keeps a connection for each of many senders
	Text          bool                 // the gateway passes on text alone: what a provider compresses is sent as it is
}

// Simulator is a CRM's simulator and what it says of itself, so that whoever looks into it needs to know no CRM.
type Simulator struct {
	URL      string   `json:"-"`
	Objects  []string `json:"objects"`  // the object types whose records it shows
	Messages string   `json:"messages"` // the one that holds messages
	Key      string   `json:"key"`      // the property of a message that holds its external id
	Status   string   `json:"status"`   // the property of a message that shows how far it got
	Text     string   `json:"text"`     // the property of a message that shows what was said
	HTML     bool     `json:"html"`     // that one holds HTML
	People   []string `json:"people"`   // the objects of which there is one record a person; the first shows replies
	Ended    string   `json:"ended"`    // the property of persons that is "true" once their sequences are to end
	Replied  string   `json:"replied"`  // the property of persons that says when they last replied
	OptedOut string   `json:"optedOut"` // the property of persons that is "true" while they want no messages
	Sessions Place    `json:"sessions"` // where what is said is shown that is no message by itself
	Standing Place    `json:"standing"` // where it is shown whose turn it is in a conversation
	Owner    string   `json:"owner"`    // the property of persons and tasks that says whose they are
	Tasks    string   `json:"tasks"`    // the object that holds what users are told
	Subject  string   `json:"subject"`  // the property of tasks that says what it is
	Files    Place    `json:"files"`    // where files are that it was given, in base64
	Works    []Place  `json:"works"`    // where work that rules ask for is shown
	Failures []Fault  `json:"failures"` // what the CRM is known to do at times
	Calls    int      `json:"calls"`    // how many calls a message of somebody known may take
}

// Place is a property of an object's records.
type Place struct {
	Object string `json:"object"`
	Text   string `json:"text"`
}

// Fault is what POST /_simulator/faults takes.
type Fault map[string]any

// Look asks a simulator at a base URL what it is.
func Look(ctx context.Context, base string) (about Simulator, err error) {
	if err := control(ctx, http.MethodGet, base+"/_simulator", nil, &about); err != nil {
		return about, err
	}
	if about.Messages == "" {
		return about, fmt.Errorf("samples: %s does not say which of its records are messages", base)
	}
	about.URL = base
	return about, nil
}

// Spoil makes the next requests to a simulator at a base URL fail.
func Spoil(ctx context.Context, base string, fault Fault, count int) error {
	spoiled := maps.Clone(fault)
	spoiled["count"] = count
	return control(ctx, http.MethodPost, base+"/_simulator/faults", spoiled, nil)
}

// control asks a simulator what is for tests and tools, and reads what it returns into reply, if that is wanted.
func control(ctx context.Context, method, address string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("samples: the simulator answers %s to %s %s", response.Status, method, address)
	}
	if reply == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(reply); err != nil {
		return fmt.Errorf("samples: the simulator's answer to %s %s: %w", method, address, err)
	}
	return nil
}

// At returns the target of a stack: its HTTP API, which an emulator at an endpoint serves under a name that need not resolve.
func At(endpoint, gateway, publicBaseURL string) Target {
	t := Target{Gateway: strings.TrimRight(gateway, "/"), PublicBaseURL: publicBaseURL}
	if at, err := url.Parse(gateway); err == nil && endpoint != "" && strings.Contains(at.Host, ".execute-api.") {
		t.Gateway, t.Host = strings.TrimRight(endpoint, "/"), at.Host
	}
	return t
}

// Client sends webhooks as providers would, registers outreach as a sales tool would, and looks into the simulators.
type Client struct {
	target   Target
	tenant   Tenant
	channels map[string]Channel
	http     *http.Client
}

// Tenant is what a Client needs of a tenant file.
type Tenant struct {
	Tenant struct {
		ID    string
		CRMs  []CRM
		Leads struct{ People []Seller }
		Rules rules.Set
	}
	Accounts []Account
	Lines    []Line
}

// Line is one of the tenant's addresses.
type Line struct{ ID, Account, Address string }

// Seller is one of the tenant's people, with the user they are in each CRM.
type Seller struct {
	Name  string
	Users map[string]string
}

// CRM is one that a tenant is bound to.
type CRM struct{ Name, Kind, BaseURL string }

// Account is credentials at a provider.
type Account struct {
	ID, Provider, ProviderAccount string
	AuthToken                     secret.Value
}

// ReadTenant reads a tenant file. No error quotes it.
func ReadTenant(path string) (t Tenant, err error) {
	file, err := tenantfile.Read(path)
	if err != nil {
		return t, fmt.Errorf("samples: %w", err)
	}
	if err := json.Unmarshal(file.JSON, &t); err != nil {
		return t, fmt.Errorf("samples: %s is no tenant file", path)
	}
	return t, nil
}

// ReadAccount reads the file of an account that several tenants have lines of. No error quotes it.
func ReadAccount(path string) (Account, error) {
	var f struct{ Account Account }
	file, err := tenantfile.Read(path)
	if err != nil {
		return f.Account, fmt.Errorf("samples: %w", err)
	}
	if err := json.Unmarshal(file.JSON, &f); err != nil || f.Account.ID == "" {
		return f.Account, fmt.Errorf("samples: %s is no account's file", path)
	}
	return f.Account, nil
}

// NewClient returns a client of channels, by their names, with the credentials of the demo tenant's accounts.
func NewClient(root string, channels map[string]Channel, target Target) (*Client, error) {
	tenant, err := ReadTenant(filepath.Join(root, DemoTenant))
	if err != nil {
		return nil, err
	}
	return NewTenantClient(channels, target, tenant), nil
}

// NewTenantClient returns a client with the credentials of a tenant's accounts.
func NewTenantClient(channels map[string]Channel, target Target, tenant Tenant) *Client {
	many := &http.Client{Transport: &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}}
	return &Client{target: target, tenant: tenant, channels: channels, http: cmp.Or(target.HTTP, many)}
}

// New returns a sample of the tenant's first account whose channel sends such ones and which has a number, to the first number it
// has where l says no Line. The zero Sample, which nobody can send, is for a tenant without one.
func (c *Client) New(l Load) Sample {
	for _, account := range c.tenant.Accounts {
		if l.Account.ID != "" && l.Account.ID != account.ID {
			continue
		}
		own := l
		own.Account, own.Line = account, cmp.Or(l.Line, c.tenant.number(account))
		channel := c.channels[account.Provider]
		if channel == nil || own.Line == "" {
			continue
		}
		if s, ok := channel.New(own); ok {
			return s
		}
	}
	return Sample{}
}

// Senders returns the ids of the tenant's accounts that New can make a sample for.
func (c *Client) Senders(l Load) (ids []string) {
	for _, account := range c.tenant.Accounts {
		if l.Account.ID = account.ID; c.New(l).Path != "" {
			ids = append(ids, account.ID)
		}
	}
	return ids
}

// NewTo returns a sample of the account and to the address of a line of the tenant, by the line's id; the zero Sample if its channel
// sends none of the kind.
func (c *Client) NewTo(line string, l Load) Sample {
	for _, own := range c.tenant.Lines {
		for _, account := range c.tenant.Accounts {
			if channel := c.channels[account.Provider]; own.ID == line && own.Account == account.ID && channel != nil {
				l.Account, l.Line = account, own.Address
				if s, ok := channel.New(l); ok {
					return s
				}
			}
		}
	}
	return Sample{}
}

// TenantID returns whose samples they are.
func (c *Client) TenantID() string { return c.tenant.Tenant.ID }

// Target returns where samples are sent.
func (c *Client) Target() Target { return c.target }

// User returns who one of the tenant's people is in a CRM, "" for nobody.
func (c *Client) User(crm, name string) string {
	for _, seller := range c.tenant.Tenant.Leads.People {
		if seller.Name == name {
			return seller.Users[crm]
		}
	}
	return ""
}

// Asked returns the words of the work that a rule of the tenant asks a CRM for, each of which that is to show.
func (c *Client) Asked(crm, rule string) (words []string) {
	for _, r := range c.tenant.Tenant.Rules.Rules {
		if r.ID != rule {
			continue
		}
		for _, a := range (rules.Set{Rules: []rules.Rule{r}}).Work(crm) {
			words = append(words, a.Value[delivery.Subject]+a.Value[delivery.To]+a.Value[delivery.Name])
		}
	}
	return words
}

// identify returns what a sample is about.
func (c *Client) identify(s Sample) Identity {
	channel := c.channels[s.Provider()]
	if channel == nil {
		return Identity{}
	}
	body, _ := s.body()
	return channel.Identify([]byte(body))
}

// ID returns what the sender of a sample calls the message.
func (c *Client) ID(s Sample) string { return c.identify(s).ID }

// Text returns the words of a sample that is a message.
func (c *Client) Text(s Sample) string { return c.identify(s).Text }

// Asks reports whether a sample waits for a person's answer: it shows nowhere by itself.
func (c *Client) Asks(s Sample) bool { return c.identify(s).Asks != "" }

// Account returns the account that a sample is sent to.
func (c *Client) Account(s Sample) (Account, error) {
	for _, a := range c.tenant.Accounts {
		if a.ID == s.Account() {
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("samples: the tenant %s has no account %s, which %s is sent to", c.tenant.Tenant.ID, s.Account(), s.Name)
}

// Send sends a webhook once and returns the status.
func (c *Client) Send(ctx context.Context, s Sample) (int, error) {
	request, err := c.Request(ctx, s)
	if err != nil {
		return 0, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("samples: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Body.Close()
}

// Register puts the message that a status callback is about on a timeline of every CRM, as the program that sent it would have:
// a CRM shows the status of no other.
func (c *Client) Register(ctx context.Context, s Sample) error {
	for _, about := range c.target.CRMs {
		record := map[string]string{about.Key: c.MessageKey(s)}
		if err := control(ctx, http.MethodPost, about.URL+"/_simulator/records?object="+about.Messages, record, nil); err != nil {
			return err
		}
	}
	return nil
}

// Request returns the signed request of a sample.
func (c *Client) Request(ctx context.Context, s Sample) (*http.Request, error) {
	body, contentType := s.body()
	account, err := c.Account(s)
	if err != nil {
		return nil, err
	}
	channel := c.channels[s.Provider()]
	if channel == nil {
		return nil, fmt.Errorf("samples: nobody can sign %s, for %q is no channel", s.Name, s.Provider())
	}
	if wrapper, ok := channel.(Wrapper); ok {
		if wrapped := string(wrapper.Wrap([]byte(body))); !c.target.Text || utf8.ValidString(wrapped) {
			body = wrapped
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.Gateway+s.Path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("samples: %w", err)
	}
	request.Host = c.target.Host
	now := time.Now
	if c.target.Now != nil {
		now = c.target.Now
	}
	if signer, ok := channel.(AccountSigner); ok {
		request.Header = signer.SignFor(account, c.target.PublicBaseURL+s.Path, []byte(body), now())
	} else {
		request.Header = channel.Sign(c.target.PublicBaseURL+s.Path, []byte(body), account.AuthToken, now())
	}
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

// EventID returns the id of the event a sample becomes.
func (c *Client) EventID(s Sample) canonical.EventID {
	about := c.identify(s)
	return canonical.NewEventID(c.tenant.Tenant.ID, s.Provider(), s.Account(), about.Kind, about.Key)
}

// MessageKey returns the external id of a sample's record in every CRM.
func (c *Client) MessageKey(s Sample) string {
	return canonical.MessageKey(c.tenant.Tenant.ID, s.Provider(), s.Account(), c.ID(s))
}

// Shows returns what reports whether a CRM's record is what a sample leads to: the message, in the state it is to show; of an
// outreach, the person, who has answered by the end and whose sequences are over.
func (c *Client) Shows(crm string, s Sample) func(Record) bool {
	about := c.target.CRMs[crm]
	if asks := c.identify(s).Asks; asks != "" {
		return func(r Record) bool {
			return r.Object != about.Messages && r.has(asks) && r.Properties[about.Ended] == "true"
		}
	}
	key := c.MessageKey(s)
	return func(r Record) bool {
		return r.Object == about.Messages && r.has(key) && (s.Shows == "" || r.has(s.Shows))
	}
}

// says returns what reports whether a record was written with a sample's words, together with others, since the sample was sent.
func (c *Client) says(crm string, report *Report) func(Record) bool {
	sessions, words, sent := c.target.CRMs[crm].Sessions, c.Text(report.Sample), report.Sent.Truncate(time.Millisecond) // which is what CRMs tell
	return func(r Record) bool {
		return words != "" && r.Object == sessions.Object && strings.Contains(html.UnescapeString(r.Properties[sessions.Text]), words) &&
			!Time(r.UpdatedAt).Before(sent)
	}
}

// Record is what a simulator holds.
type Record struct {
	Object       string              `json:"-"`
	ID           string              `json:"id"`
	Properties   map[string]string   `json:"properties"`
	Associations map[string][]string `json:"associations"`
	CreatedAt    string              `json:"createdAt"`
	UpdatedAt    string              `json:"updatedAt"`
}

// Messages returns the records of messages in a CRM.
func (c *Client) Messages(ctx context.Context, crm string) ([]Record, error) {
	return c.Records(ctx, crm, c.target.CRMs[crm].Messages)
}

// Records returns what a CRM's simulator holds of one object.
func (c *Client) Records(ctx context.Context, crm, object string) (records []Record, err error) {
	err = control(ctx, http.MethodGet, c.target.CRMs[crm].URL+"/_simulator/records?object="+object, nil, &records)
	for i := range records {
		records[i].Object = object
	}
	return records, err
}

// has reports whether any property of a record has a value.
func (r Record) has(value string) bool {
	for held := range maps.Values(r.Properties) {
		if held == value {
			return true
		}
	}
	return false
}

// Time reads a time as a CRM's record shows it; zero for what is none.
func Time(shown string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.000Z0700"} {
		if at, err := time.Parse(layout, shown); err == nil {
			return at
		}
	}
	if ms, err := strconv.ParseInt(shown, 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Phone returns the number of the n-th person of a load.
func Phone(n int) string { return fmt.Sprintf("+1555%07d", 2000000+n) }
