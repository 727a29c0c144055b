package salesforce

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/secret"
)

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

// callAs makes one request and decodes a 200 or 201 into out, which may be nil; a *[]byte gets a table as it stands. When the session is refused, in whichever words,
// another one is fetched and the request made again, once. Errors are faults that hold nothing of what was sent. Assign
// lets the org's active assignment rule give out the leads that the request writes. Salesforce does so, and with leads that are
// only updated too, where nothing is said.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/headers-autoassign.
func (o *org) callAs(ctx context.Context, assign bool, method, path string, in, out any) error {
	return o.crm.sessions.Use(ctx, o.at, o.crm.credentials(o.binding), func(token secret.Value) (ended bool, err error) {
		return o.exchange(ctx, assign, method, path, token, in, out)
	})
}

// exchange makes a request once and reports whether the session was refused.
func (o *org) exchange(ctx context.Context, assign bool, method, path string, token secret.Value, in, out any) (ended bool, err error) {
	accepts, table := "application/json", (*[]byte)(nil)
	if table, _ = out.(*[]byte); table != nil {
		accepts = "text/csv"
	}
	reply, err := o.crm.api.Send(ctx, method, o.binding.BaseURL+path, http.Header{
		"Accept":                       {accepts},
		"Authorization":                {"Bearer " + string(token)},
		"Sforce-Call-Options":          {clientName},
		"Sforce-Duplicate-Rule-Header": {"allowSave=" + strconv.FormatBool(o.binding.Capabilities.AllowDuplicates)},
		"Sforce-Auto-Assign":           {strings.ToUpper(strconv.FormatBool(assign))},
	}, in)
	if err != nil {
		return false, err
	}
	u := o.crm.watch(o.at, reply.Header)
	switch status := reply.Status; {
	case status == http.StatusNoContent:
		return false, nil
	case status == http.StatusOK && table != nil:
		*table = reply.Body
		return false, nil
	case status == http.StatusOK || status == http.StatusCreated:
		return false, o.crm.api.Decode(reply, out)
	case refusedInRows(reply.Body, out):
		return false, nil
	default:
		f := connector.Waiting(sorted(status, topLevel(reply.Body), u), reply.Header)
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

// watch keeps what an org tells of its daily limit and returns the last of it.
func (c *CRM) watch(at connector.BindingKey, h http.Header) usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	if told := usageOf(h); told.most > 0 {
		c.usage[at] = told
	}
	return c.usage[at]
}
