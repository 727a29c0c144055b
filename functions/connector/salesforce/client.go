package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

// maxReply bounds what is read of a reply.
const maxReply = 16 << 20

// clientName is what Salesforce writes into the origin of every change we make, so that our own are told from others'.
const clientName = "client=signalbox"

// org is one tenant's Salesforce for the time of one Do.
type org struct {
	crm     *CRM
	at      connector.BindingKey
	binding Binding
}

// path returns where something is in the binding's version of the API.
func (o *org) path(rest string) string { return "/services/data/" + o.binding.Version + "/" + rest }

// call makes one request that gives no lead to anybody: see callAs.
func (o *org) call(ctx context.Context, method, path string, in, out any) error {
	return o.callAs(ctx, false, method, path, in, out)
}

// callAs makes one request and decodes a 200 or 201 into out, which may be nil. When the session is refused, in whichever words,
// another one is fetched and the request made again, once. Errors are faults that hold nothing of what was sent. Assign
// lets the org's active assignment rule give out the leads that the request writes. Salesforce does so, and with leads that are
// only updated too, where nothing is said.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/headers-autoassign.
func (o *org) callAs(ctx context.Context, assign bool, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fault.New(fault.Permanent, "salesforce_request_unencodable", nil)
		}
	}
	token, err := o.crm.sessions.token(ctx, o.at, o.binding, "")
	if err != nil {
		return err
	}
	ended, err := o.exchange(ctx, assign, method, path, token, body, out)
	if !ended {
		return err
	}
	if token, err = o.crm.sessions.token(ctx, o.at, o.binding, token); err != nil {
		return err
	}
	_, err = o.exchange(ctx, assign, method, path, token, body, out)
	return err
}

// exchange makes a request once and reports whether the session was refused.
func (o *org) exchange(ctx context.Context, assign bool, method, path string, token secret.Value, body []byte, out any) (ended bool, err error) {
	request, err := http.NewRequestWithContext(ctx, method, o.binding.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return false, fault.New(fault.Blocked, "salesforce_base_url_invalid", nil)
	}
	o.dress(request, token, body != nil)
	request.Header.Set("Sforce-Auto-Assign", strings.ToUpper(strconv.FormatBool(assign)))
	reply, err := o.crm.client.Do(request)
	if err != nil {
		return false, unreachable(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(reply.Body, maxReply+1))
	if err != nil {
		return false, unreachable(err)
	}
	u := o.crm.watch(ctx, o.at, reply.Header)
	switch status := reply.StatusCode; {
	case len(read) > maxReply:
		return false, fault.New(fault.Permanent, "salesforce_reply_too_large", nil)
	case status == http.StatusNoContent:
		return false, nil
	case status == http.StatusOK || status == http.StatusCreated:
		return false, decode(read, out)
	case refusedInRows(read, out):
		return false, nil
	default:
		f := sorted(status, topLevel(read), u, retryAfter(reply.Header))
		refused, _ := errors.AsType[*ResponseError](f)
		if id := reply.Header.Get("X-Sfdc-Request-Id"); requestID.MatchString(id) {
			refused.RequestID = id
		}
		if f.Code == codeCrowded && f.Wait == crowdWait { // who was refused together must not come back together
			f.Wait += time.Duration(o.crm.jitter() * float64(3*crowdWait))
		}
		return status == http.StatusUnauthorized || refused.Code == invalidSession, f
	}
}

// dress sets the headers that every request has.
func (o *org) dress(request *http.Request, token secret.Value, hasBody bool) {
	h := request.Header
	h.Set("Authorization", "Bearer "+string(token))
	h.Set("Accept", "application/json")
	h.Set("Sforce-Call-Options", clientName)
	h.Set("Sforce-Duplicate-Rule-Header", "allowSave="+strconv.FormatBool(o.binding.Capabilities.AllowDuplicates))
	if hasBody {
		h.Set("Content-Type", "application/json")
	}
}

// decode reads a success. What is not JSON came from something in between.
func decode(body []byte, out any) error {
	if out == nil {
		out = new(json.RawMessage)
		if len(bytes.TrimSpace(body)) == 0 {
			return nil
		}
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fault.New(fault.Retryable, "salesforce_reply_undecodable", nil)
	}
	return nil
}

func unreachable(err error) error {
	return connector.TransportFault(err, "salesforce_timeout", "salesforce_unreachable")
}

// usageOf reads Sforce-Limit-Info, "api-usage=54/15000; api-bursts=1/750"; most is zero when it says nothing.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/headers-api-usage.
func usageOf(h http.Header) usage {
	for part := range strings.FieldsFuncSeq(h.Get("Sforce-Limit-Info"), func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		used, most, _ := strings.Cut(value, "/")
		u, err := strconv.Atoi(used)
		m, failed := strconv.Atoi(most)
		if name == "api-usage" && err == nil && failed == nil && m > 0 && u >= 0 {
			return usage{used: u, most: m}
		}
	}
	return usage{}
}

// watch keeps what an org tells of its daily limit and answers the last of it. At most once a minute it is told when less
// than a tenth is left.
func (c *CRM) watch(ctx context.Context, at connector.BindingKey, h http.Header) usage {
	told, now := usageOf(h), time.Now()
	c.mu.Lock()
	known := c.usage[at]
	if told.most > 0 {
		known.used, known.most = told.used, told.most
	}
	due := told.most > 0 && known.most-known.used < known.most/10 && now.Sub(known.warned) >= time.Minute
	if due {
		known.warned = now
	}
	c.usage[at] = known
	c.mu.Unlock()
	if due {
		c.logger.WarnContext(ctx, "less than a tenth of the org's daily requests is left",
			slog.String("tenant", at.Tenant), slog.Int("used", known.used), slog.Int("daily", known.most))
		c.meter.Count("SalesforceDailyBudgetLow", 1, telemetry.Label{Name: "tenant", Value: at.Tenant})
	}
	return known
}
