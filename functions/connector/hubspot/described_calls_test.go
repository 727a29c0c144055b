package hubspot_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
)

// TestEveryReplyFitsHubSpotsDescription holds against HubSpot's descriptions what the whole contract suite, Connect and the calls
// below make the simulator answer, and what they ask it.
func TestEveryReplyFitsHubSpotsDescription(t *testing.T) {
	d := readDescriptions(t)
	t.Run("contract", func(t *testing.T) { contract(t, d.watch) })
	for _, version := range []string{hubspot.Version202603, hubspot.Version202609, hubspot.VersionLegacy} {
		b := portal()
		b.Version = version
		bare := d.watch(simulator.New(simulator.Options{Token: token, Bare: true}))
		for range 2 { // the second finds what the first has installed
			visit(t, newCRM(b, simulator.Transport(bare), slog.New(slog.DiscardHandler)), true)
		}
	}
	for _, c := range describedCalls() {
		c.make(t, d)
	}
	d.report(t)
}

// describedCall is one that neither the suite nor Connect makes.
type describedCall struct {
	method, path, body string
	status             int
	options            simulator.Options
	token              string // nothing is the one that is let in
}

// make makes a call of a portal that holds two contacts, 1001 and 1002, and a communication, 1003, of the first; before it the one
// that uses up the limit, if there is one.
func (c describedCall) make(t *testing.T, d *described) {
	t.Helper()
	c.options.Token = token
	s := simulator.New(c.options)
	s.Add("contacts", map[string]string{"email": "ana@example.test", "msg_sender_key": "k1", "phone": "+15551234567"})
	s.Add("contacts", map[string]string{"email": "bo@example.test", "msg_sender_key": "k2", "phone": "+15551234567"})
	s.Add("communications", map[string]string{"msg_event_key": "e1"})
	send := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "https://hubspot.example.test"+path, strings.NewReader(body))
		if c.token == "" {
			c.token = string(token)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.watch(s).ServeHTTP(w, r)
		return w
	}
	if c.options.Burst == 0 {
		send("PUT", "/crm/objects/2026-03/communications/1003/associations/default/contacts/1001", "")
	}
	if c.options.Burst+c.options.Searches > 0 {
		send(c.method, c.path, c.body)
	}
	if w := send(c.method, c.path, c.body); w.Code != c.status {
		t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, w.Code, w.Body, c.status)
	}
}

func describedCalls() []describedCall {
	const (
		search  = `{"after":"0","limit":1,"sorts":["-lastmodifieddate"],"properties":["phone"],"filterGroups":[{"filters":[{"propertyName":"phone","operator":"EQ","value":"+15551234567"}]}]}`
		mixed   = `{"inputs":[{"id":"k3","idProperty":"msg_sender_key","objectWriteTraceId":"a","properties":{}},{"id":"k4","idProperty":"msg_sender_key","objectWriteTraceId":"b","properties":{"email":"bo@example.test"}}]}`
		message = `"properties":{"hs_communication_channel_type":"SMS","hs_communication_logged_from":"CRM","hs_timestamp":"2026-01-18T14:23:12Z"},"associations":[{"to":{"id":"1001"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":81}]}]`
		pairs   = `{"inputs":[{"from":{"id":"1003"},"to":{"id":"1002"}},{"from":{"id":"1003"},"to":{"id":"77"}}]}`
		task    = `"properties":{"hs_task_subject":"New lead","hs_task_status":"NOT_STARTED","hs_timestamp":"2026-01-18T14:23:12Z"},"associations":[{"to":{"id":"1001"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":204}]}]`
		tasks   = `{"after":"0","limit":1,"sorts":[],"properties":["hs_task_body"],"filterGroups":[{"filters":[{"propertyName":"hs_task_subject","operator":"EQ","value":"New lead"}]}]}`
		owned   = `{"properties":{"email":"cy@example.test","hubspot_owner_id":"%s"},"associations":[]}`
		taken   = `{"properties":{"email":"bo@example.test"}}`
	)
	var calls []describedCall
	for _, v := range map[string]struct {
		objects, associations, properties string
		mixed, mixedNew                   int
	}{
		"2026-03": {"/crm/objects/2026-03", "/crm/associations/2026-03", "/crm/properties/2026-03", 207, 207},
		"2026-09": {"/crm/objects/2026-09", "/crm/associations/2026-09", "/crm/properties/2026-09", 200, 201},
		"legacy":  {"/crm/v3/objects", "/crm/v4/associations", "/crm/v3/properties", 207, 207},
	} {
		calls = append(calls,
			describedCall{"GET", v.objects + "/contacts/1001", ``, 200, simulator.Options{}, ""},
			describedCall{"GET", v.objects + "/contacts/k1?idProperty=msg_sender_key&properties=phone,country", ``, 200, simulator.Options{}, ""},
			describedCall{"GET", v.objects + "/contacts/1001", ``, 401, simulator.Options{}, "guessed"},
			describedCall{"GET", v.objects + "/contacts/1001", ``, 429, simulator.Options{Burst: 1}, ""},
			describedCall{"GET", v.objects + "/contacts/77", ``, 404, simulator.Options{}, ""},
			describedCall{"GET", v.objects + "/communications/1003", ``, 200, simulator.Options{}, ""},
			describedCall{"PATCH", v.objects + "/contacts/1001", `{"properties":{"firstname":"Ana"}}`, 200, simulator.Options{}, ""},
			describedCall{"PATCH", v.objects + "/contacts/1001", `{"properties":{"goat":"1"}}`, 400, simulator.Options{}, ""},
			describedCall{"PATCH", v.objects + "/contacts/1001", taken, 409, simulator.Options{}, ""},
			describedCall{"DELETE", v.objects + "/contacts/1001", ``, 204, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/contacts/search", search, 200, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/contacts/search", search, 429, simulator.Options{Searches: 1}, ""},
			describedCall{"POST", v.objects + "/contacts/search", `{"limit":1}`, 400, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/contacts/batch/upsert", mixed, v.mixed, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/communications", "{" + message + "}", 201, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/communications/batch/create", `{"inputs":[{"objectWriteTraceId":"a",` + message + `}]}`, 201, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/communications/batch/create", `{"inputs":[{` + message + `},{` + strings.Replace(message, "1001", "77", 1) + `}]}`, v.mixedNew, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/communications/batch/create", `{"inputs":[{"properties":{}}]}`, 400, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/communications/batch/update", `{"inputs":[{"id":"1003","objectWriteTraceId":"a","properties":{"hs_communication_body":"x"}}]}`, 200, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/tasks", "{" + task + "}", 201, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/tasks/search", tasks, 200, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/contacts", fmt.Sprintf(owned, "4711"), 201, simulator.Options{}, ""},
			describedCall{"POST", v.objects + "/contacts", fmt.Sprintf(owned, "ana"), 400, simulator.Options{}, ""},
			describedCall{"POST", v.associations + "/communications/contacts/batch/associate/default", pairs, 200, simulator.Options{}, ""},
			describedCall{"POST", v.associations + "/contacts/communications/batch/read", `{"inputs":[{"id":"1001"}]}`, 200, simulator.Options{}, ""},
			describedCall{"POST", v.associations + "/contacts/communications/batch/read", `{"inputs":[{"id":"1001"},{"id":"1002"}]}`, v.mixed, simulator.Options{}, ""},
			describedCall{"GET", v.properties + "/contacts/email", ``, 200, simulator.Options{}, ""},
			describedCall{"GET", v.properties + "/contacts/lifecyclestage", ``, 200, simulator.Options{}, ""},
			describedCall{"GET", v.properties + "/contacts/goat", ``, 404, simulator.Options{}, ""},
			describedCall{"POST", v.properties + "/contacts", `{"name":"Goat"}`, 400, simulator.Options{}, ""},
		)
	}
	return calls
}
