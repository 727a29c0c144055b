package twiliotest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Consents is Twilio's Consent Management API as a program meets it, in memory, by its page at
// https://www.twilio.com/docs/messaging/features/bulk-upsert-consents-api. Its zero value knows nobody.
type Consents struct {
	Account, Token string
	Hold           func() // called before an answer

	mu       sync.Mutex
	status   map[string]string // by the contact and the sender
	items    []map[string]string
	fails    []int
	broken   map[string]string // error messages of contacts
	requests int
}

// Fail makes the next requests fail with these statuses, one each.
func (c *Consents) Fail(statuses ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = append(c.fails, statuses...)
}

// Break makes a contact's items fail with a message, until it is "".
func (c *Consents) Break(contact, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = map[string]string{}
	}
	c.broken[contact] = message
}

// Status returns what is known of a contact and a sender, "" for nothing.
func (c *Consents) Status(contact, sender string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status[contact+" "+sender]
}

// Items returns all that were taken, in their order, and how many requests there were.
func (c *Consents) Items() ([]map[string]string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.items), c.requests
}

// maxItems is how many items a request has at most.
const maxItems = 25

// ServeHTTP implements http.Handler.
func (c *Consents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.Hold != nil {
		c.Hold()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if len(c.fails) > 0 {
		status := c.fails[0]
		c.fails = c.fails[1:]
		problem(w, status, 20000+status)
		return
	}
	user, password, _ := r.BasicAuth()
	switch {
	case user != c.Account || password != c.Token:
		problem(w, http.StatusUnauthorized, 20003)
	case r.Method != http.MethodPost || r.URL.Path != "/v1/Consents/Bulk":
		problem(w, http.StatusNotFound, 20404)
	case r.ParseForm() != nil || len(r.PostForm["Items"]) == 0 || len(r.PostForm["Items"]) > maxItems:
		problem(w, http.StatusBadRequest, 20001)
	default:
		c.upsert(w, r.PostForm["Items"])
	}
}

// upsert takes items, each for itself. The status is 201 whatever became of them: the body tells it.
func (c *Consents) upsert(w http.ResponseWriter, written []string) {
	type result struct {
		Correlation string   `json:"correlation_id"`
		Code        int      `json:"error_code"`
		Messages    []string `json:"error_messages"`
	}
	answer := struct {
		Items []result `json:"items"`
	}{}
	for _, text := range written {
		item := map[string]string{}
		_ = json.Unmarshal([]byte(text), &item) // what cannot be read lacks everything
		out := result{Correlation: item["correlation_id"], Messages: []string{}}
		if out.Messages = append(out.Messages, c.wrong(item)...); len(out.Messages) > 0 {
			out.Code = 30646
		} else {
			if c.status == nil {
				c.status = map[string]string{}
			}
			c.status[item["contact_id"]+" "+item["sender_id"]] = item["status"]
			c.items = append(c.items, item)
		}
		answer.Items = append(answer.Items, out)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(answer) // to a test's own client
}

// wrong returns the errors of an item.
func (c *Consents) wrong(item map[string]string) (messages []string) {
	is := func(member, pattern, message string) {
		if !regexp.MustCompile(pattern).MatchString(item[member]) {
			messages = append(messages, message)
		}
	}
	is("correlation_id", `^[0-9a-fA-F]{32}$`, "INVALID_CORRELATION_ID")
	is("sender_id", `^(?:MG[0-9a-f]{32}|\+[1-9][0-9]{6,14})$`, "INVALID_SENDER_ID")
	is("contact_id", `^\+[1-9][0-9]{6,14}$`, "INVALID_CONTACT_ID")
	is("status", `^opt-(?:in|out)$`, "INVALID_STATUS")
	is("source", `^(?:website|offline|opt-in-message|opt-out-message|others)$`, "INVALID_SOURCE")
	if _, err := time.Parse(time.RFC3339, item["date_of_consent"]); err != nil && item["date_of_consent"] != "" {
		messages = append(messages, "INVALID_DATE_OF_CONSENT")
	}
	if m := c.broken[item["contact_id"]]; m != "" {
		messages = append(messages, m)
	}
	return messages
}
