package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/local"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Client sends webhooks as Twilio would, registers outreach as a sales tool would, and looks into the simulators.
type Client struct {
	cloud    *local.Cloud
	tenant   string
	accounts map[string]account // by provider
}

// account is credentials of the demo tenant.
type account struct {
	ID, Provider string
	AuthToken    secret.Value
}

// The providers whose accounts a Client needs.
const (
	twilio   = "twilio"
	outreach = "outreach"
)

// NewClient returns a client that has the credentials of the demo tenant's accounts.
func NewClient(root string, c *local.Cloud) (*Client, error) {
	data, err := os.ReadFile(filepath.Join(root, local.DemoTenant)) //nolint:gosec // the repository's own
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	var file struct {
		Tenant   struct{ ID string }
		Accounts []account
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("demo: %s: %w", local.DemoTenant, err)
	}
	client := &Client{cloud: c, tenant: file.Tenant.ID, accounts: map[string]account{}}
	for _, a := range file.Accounts {
		client.accounts[a.Provider] = a
	}
	for _, provider := range []string{twilio, outreach} {
		if client.accounts[provider].ID == "" {
			return nil, fmt.Errorf("demo: %s has no account of the provider %s", local.DemoTenant, provider)
		}
	}
	return client, nil
}

// Send sends a webhook once and answers the status.
func (c *Client) Send(ctx context.Context, s Sample) (int, error) {
	request, err := c.Request(ctx, s)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("demo: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Body.Close()
}

// Register puts the message that a status callback is about on a timeline of every CRM, as the program that sent it would have:
// a CRM shows the status of no other.
func (c *Client) Register(ctx context.Context, s Sample) error {
	for crm, base := range c.cloud.CRMs {
		about := c.cloud.Simulated[crm]
		body, err := json.Marshal(map[string]string{about.Key: c.MessageKey(s)})
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/_simulator/records?object="+about.Messages, bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusNoContent {
			return fmt.Errorf("demo: the simulator of %s answers %s", crm, response.Status)
		}
	}
	return nil
}

// Request answers the signed request of a sample.
func (c *Client) Request(ctx context.Context, s Sample) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cloud.Gateway+s.Path, strings.NewReader(s.body()))
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	if _, ok := s.Outreach(); ok {
		request.Header = standardwebhooks.Sign(c.accounts[outreach].AuthToken, "msg_"+s.ID(), time.Now(), s.JSON)
		request.Header.Set("Content-Type", "application/json")
		return request, nil
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	request.Header.Set("X-Twilio-Signature", s.sign(string(c.accounts[twilio].AuthToken), c.cloud.PublicBaseURL+s.Path))
	return request, nil
}

// EventID answers the id of the event a sample becomes.
func (c *Client) EventID(s Sample) canonical.EventID {
	if _, ok := s.Outreach(); ok {
		return canonical.NewEventID(c.tenant, outreach, c.accounts[outreach].ID, "outreach", s.ID())
	}
	if s.Shows != "" {
		return canonical.NewEventID(c.tenant, twilio, c.accounts[twilio].ID, "receipt", s.ID()+"|"+s.Shows+"|"+s.field("ErrorCode"))
	}
	return canonical.NewEventID(c.tenant, twilio, c.accounts[twilio].ID, "message", s.ID())
}

// MessageKey answers the external id of a sample's record in every CRM.
func (c *Client) MessageKey(s Sample) string {
	return canonical.MessageKey(c.tenant, twilio, c.accounts[twilio].ID, s.ID())
}

// Shows says whether a CRM's record is what a sample leads to: the message, in the state it is to show; of an
// outreach, the person, who has answered by the end and whose sequences are over.
func (c *Client) Shows(crm string, r Record, s Sample) bool {
	about := c.cloud.Simulated[crm]
	if o, ok := s.Outreach(); ok {
		return r.Object != about.Messages && r.has(o.To.Phone) && r.Properties[about.Ended] == "true"
	}
	return r.Object == about.Messages && r.has(c.MessageKey(s)) && (s.Shows == "" || r.has(s.Shows))
}

// Record is what a simulator holds.
type Record struct {
	Object       string              `json:"-"`
	ID           string              `json:"id"`
	Properties   map[string]string   `json:"properties"`
	Associations map[string][]string `json:"associations"`
}

// Messages answers the records of messages in a CRM.
func (c *Client) Messages(ctx context.Context, crm string) ([]Record, error) {
	return c.Records(ctx, crm, c.cloud.Simulated[crm].Messages)
}

// Records answers what a CRM's simulator holds of one object.
func (c *Client) Records(ctx context.Context, crm, object string) ([]Record, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cloud.CRMs[crm]+"/_simulator/records?object="+object, nil)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("demo: the simulator of %s answers %s", crm, response.Status)
	}
	var records []Record
	if err := json.NewDecoder(response.Body).Decode(&records); err != nil {
		return nil, fmt.Errorf("demo: the simulator of %s: %w", crm, err)
	}
	for i := range records {
		records[i].Object = object
	}
	return records, nil
}

// has says whether a record is of the message of this key, whatever the CRM calls the property.
func (r Record) has(key string) bool {
	for _, value := range r.Properties {
		if value == key {
			return true
		}
	}
	return false
}
