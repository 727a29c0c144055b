package twilio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// Consents tells Twilio who may be written to: its Consent Management API. See
// https://www.twilio.com/docs/messaging/features/consent-api and https://www.twilio.com/docs/messaging/features/bulk-upsert-consents-api.
type Consents struct{ client *http.Client }

// NewConsents returns Consents that call with client, which follows no redirect: credentials go where the account's file says.
func NewConsents(client *http.Client) *Consents { return &Consents{client} }

var _ adapter.Teller = (*Consents)(nil)

// consentTimeout is more than three times what the API takes at most.
const consentTimeout = 10 * time.Second

// consentItem is a word as the API has it.
type consentItem struct {
	Contact     string `json:"contact_id"`
	Correlation string `json:"correlation_id"`
	Sender      string `json:"sender_id"`
	Status      string `json:"status"`
	Source      string `json:"source"`
	Date        string `json:"date_of_consent"`
}

// Keeps implements adapter.Teller: the API is of SMS alone.
func (*Consents) Keeps(channel canonical.Channel) bool { return channel == canonical.SMS }

// Tell implements adapter.Teller. An item has an id of its word's, so that a repeat is the same item.
func (c *Consents) Tell(ctx context.Context, a tenant.Account, words []consent.Word) (refused []error, err error) {
	refused = make([]error, len(words))
	form := url.Values{}
	of := map[string]int{} // words by their ids
	for i, w := range words {
		if !canonical.IsE164(w.Address) {
			refused[i] = malformed("contact_no_number")
			continue
		}
		sum := sha256.Sum256([]byte(w.Account + " " + w.Of() + " " + string(w.EventID)))
		item := consentItem{
			Contact: w.Address, Correlation: hex.EncodeToString(sum[:16]), Sender: w.Sender, Status: "opt-in", Source: consentSource(w), Date: w.At.UTC().Format(time.RFC3339),
		}
		if w.State == consent.OptedOut {
			item.Status = "opt-out"
		}
		encoded, _ := json.Marshal(item) // texts always encode
		form.Add("Items", string(encoded))
		of[item.Correlation], refused[i] = i, fault.New(fault.Retryable, adapter.CodeUnread, nil) // unless the answer says what became of it
	}
	if len(of) == 0 {
		return refused, nil
	}
	results, err := c.post(ctx, a, form)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if i, ok := of[r.Correlation]; ok {
			refused[i] = r.refusal()
		}
	}
	return refused, nil
}

// consentSource returns by what somebody said so, in the API's words.
func consentSource(w consent.Word) string {
	switch w.Source {
	case consent.SourceKeyword, consent.SourcePhrase:
		if w.State == consent.OptedOut {
			return "opt-out-message"
		}
		return "opt-in-message"
	case consent.SourceForm:
		return "website"
	case consent.SourceAgent:
		return "offline"
	default:
		return "others"
	}
}

// consentResult is what became of an item: 0, or an error and its reasons.
type consentResult struct {
	Correlation string   `json:"correlation_id"`
	Code        int      `json:"error_code"`
	Messages    []string `json:"error_messages"`
}

// refusal returns why an item was not taken, nil if it was. See https://www.twilio.com/docs/api/errors/30646.
func (r *consentResult) refusal() error {
	switch {
	case r.Code == 0:
		return nil
	case slices.Contains(r.Messages, "INTERNAL_SERVER_ERROR"):
		return fault.New(fault.Retryable, adapter.CodeUnanswered, nil)
	}
	code := "consent_refused"
	for _, m := range r.Messages {
		if len(m) <= 40 && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" { // a word, and not a text that may hold a number
			code = strings.ToLower(m)
			break
		}
	}
	return fault.New(fault.Permanent, code, nil)
}

// post sends items and returns what became of them.
func (c *Consents) post(ctx context.Context, a tenant.Account, form url.Values) ([]consentResult, error) {
	ctx, cancel := context.WithTimeout(ctx, consentTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.ConsentURL+"/v1/Consents/Bulk", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fault.New(fault.Blocked, adapter.CodeRefused, nil)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(a.ProviderAccount, string(a.APIToken))
	var page struct {
		Items []consentResult `json:"items"`
	}
	err = adapter.Ask(c.client, r, &page)
	return page.Items, err
}
