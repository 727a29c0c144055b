package hubspot_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
	"signalbox/shared/receipt"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

const (
	tenantID = "demo"
	token    = secret.Value("pat-na1-invented-for-tests")
)

// bound returns one binding, whatever is asked.
type bound hubspot.Binding

func (b bound) Binding(context.Context, string, string) (hubspot.Binding, error) {
	return hubspot.Binding(b), nil
}

// portal is a binding to the simulator with every capability.
func portal() hubspot.Binding {
	return hubspot.Binding{
		BaseURL:      "https://hubspot.example.test",
		Token:        token,
		Package:      hubspot.Package,
		Capabilities: hubspot.Capabilities{Leads: true, EngagementUpsert: true},
	}
}

func newCRM(b hubspot.Binding, transport http.RoundTripper, logger *slog.Logger) *hubspot.CRM {
	return hubspot.New(hubspot.Options{
		Bindings: bound(b),
		Client:   &http.Client{Transport: transport},
		Logger:   logger,
		Meter:    telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	})
}

// bindings are the kinds of portals there are, each with the calls that a message of a known person costs.
func bindings() map[string]struct {
	change func(*hubspot.Binding)
	calls  int
} {
	return map[string]struct {
		change func(*hubspot.Binding)
		calls  int
	}{
		"dated version":                   {func(*hubspot.Binding) {}, 2},
		"next version":                    {func(b *hubspot.Binding) { b.Version = hubspot.Version202609 }, 2},
		"legacy version":                  {func(b *hubspot.Binding) { b.Version = hubspot.VersionLegacy }, 2},
		"no leads":                        {func(b *hubspot.Binding) { b.Capabilities.Leads = false }, 2},
		"package of before conversations": {func(b *hubspot.Binding) { b.Package = 2 }, 2},
		"no unique key on communications": {func(b *hubspot.Binding) { b.Capabilities.EngagementUpsert = false }, 1},
		"next version, no unique key": {func(b *hubspot.Binding) {
			b.Version, b.Capabilities.EngagementUpsert = hubspot.Version202609, false
		}, 1},
		"legacy version, no unique key": {func(b *hubspot.Binding) {
			b.Version, b.Capabilities.EngagementUpsert = hubspot.VersionLegacy, false
		}, 1},
	}
}

func TestContract(t *testing.T) { contract(t, func(h http.Handler) http.Handler { return h }) }

// contract runs the suite on every kind of portal, with something between it and the simulator.
func contract(t *testing.T, between func(http.Handler) http.Handler) {
	for name, c := range bindings() {
		t.Run(name, func(t *testing.T) {
			b := portal()
			c.change(&b)
			connectortest.Run(t, func(*testing.T) connectortest.Harness[hubspot.Request] {
				h := harness(b, c.calls)
				h.Simulator = between(h.Simulator)
				return h
			})
		})
	}
}

func harness(b hubspot.Binding, calls int) connectortest.Harness[hubspot.Request] {
	s := simulator.New(simulator.Options{Token: token})
	var statuses *connectortest.Statuses
	if b.Capabilities.EngagementUpsert {
		statuses = &connectortest.Statuses{Width: hubspot.ReceiptsWidth, Calls: 1, State: func(s receipt.Status) string {
			if b.Package < 4 {
				s.Reason = ""
			}
			return strings.Join(strings.Fields(s.State+" "+s.Error+" "+receipt.Words(s.Reason)), " ")
		}}
	}
	return connectortest.Harness[hubspot.Request]{
		New: func(client *http.Client, logger *slog.Logger) connector.CRM[hubspot.Request] {
			return newCRM(b, client.Transport, logger)
		},
		Simulator:  s,
		Files:      &connectortest.Files{Calls: 2, Held: func() []connectortest.HeldFile { return heldFiles(s) }, Forbid: s.Forbid, Delete: func() { deleteAll(s, "communications") }},
		Name:       "hubspot",
		Tenant:     tenantID,
		Secrets:    []string{string(token)},
		Width:      connector.Width,
		Singly:     !b.Capabilities.EngagementUpsert,
		KnownCalls: calls,
		AddPerson: func(phone, name, country string) string {
			return s.Add("contacts", map[string]string{"phone": phone, "firstname": name, "country": country})
		},
		Rename: func(person, name string) {
			s.Set("contacts", person, map[string]string{"firstname": name, "lastname": ""})
		},
		Enrol: func(person string, began time.Time) {
			s.Set("contacts", person, map[string]string{"hs_latest_sequence_enrolled_date": hubspotTime(began)})
		},
		Users:  [2]string{"4711", "4712"},
		Give:   func(person, user string) { s.Set("contacts", person, map[string]string{"hubspot_owner_id": user}) },
		Fields: fields(s, b),
		Replace: map[string]func(person, other string) string{
			"deleted":                              func(person, _ string) string { s.Archive("contacts", person); return "" },
			"erased":                               func(person, _ string) string { s.Erase(person); return "" },
			"merged":                               func(person, other string) string { return s.Merge(person, other, false) },
			"merged into another":                  func(person, other string) string { return s.Merge(other, person, false) },
			"merged, and its id can be written by": func(person, other string) string { return s.Merge(person, other, true) },
		},
		Held:     func() connectortest.Held { return held(s) },
		Spoil:    func(d *delivery.Delivery) { d.Person.Email = "not an address" },
		Statuses: statuses,
		Works:    works(s, b),
		Sessions: sessions(s, b),
		Mapped:   mapped(s, b),
		Refusals: refusals(),
	}
}

// works describes what a portal shows of work that rules ask for.
func works(s *simulator.Simulator, b hubspot.Binding) *connectortest.Works {
	s.Watch("msg_automation_at")
	lacks := map[delivery.Kind]string{}
	if b.Package < 5 {
		for _, kind := range []delivery.Kind{delivery.OpenCase, delivery.SetStatus, delivery.StartAutomation} {
			lacks[kind] = connector.CodeWorkPackage
		}
	}
	return &connectortest.Works{
		Statuses: [2]string{"CONNECTED", "UNQUALIFIED"}, Stage: "2", Lacks: lacks,
		SetStatus: func(person, status string) { s.Set("contacts", person, map[string]string{"hs_lead_status": status}) },
		Forbid:    map[delivery.Kind]connectortest.Forbidden{delivery.OpenCase: {Do: s.ForbidTickets, Code: "hubspot_missing_scopes"}},
		Held: func() (h connectortest.HeldWork) {
			h.Statuses = map[string]string{}
			tickets, _ := s.Records("tickets")
			for _, one := range tickets {
				h.Cases = append(h.Cases, connectortest.HeldCase{Subject: one.Properties["subject"], Status: one.Properties["hs_pipeline_stage"], Persons: one.Associations["contacts"]})
			}
			contacts, _ := s.Records("contacts")
			for _, c := range contacts {
				h.Statuses[c.ID] = c.Properties["hs_lead_status"]
				for _, enrolled := range s.Enrolled() {
					inputs := map[string]string{}
					if json.Unmarshal([]byte(c.Properties["msg_automation_input"]), &inputs) == nil && enrolled == c.ID {
						h.Started = append(h.Started, connectortest.HeldStart{Name: c.Properties["msg_automation"], Person: c.ID, Inputs: inputs})
					}
				}
			}
			return h
		},
	}
}

// mapped describes how a portal shows what a tenant maps.
func mapped(s *simulator.Simulator, b hubspot.Binding) *connectortest.Mapped {
	objects := []mapping.Object{mapping.Person, mapping.Activity}
	if b.Capabilities.Leads {
		objects = append(objects, mapping.Lead)
	}
	if b.Package >= 3 {
		objects = append(objects, mapping.Conversation)
	}
	return &connectortest.Mapped{
		Objects:      objects,
		FirstMessage: "message",
		Name:         func(field string) string { return "own_" + field },
		Define:       s.DefineMapped,
		Held: func(o mapping.Object) (all []map[string]string) {
			for _, r := range s.Mapped(o) {
				all = append(all, r.Properties)
			}
			return all
		},
		Edit: func(o mapping.Object, field, value string) {
			object := map[mapping.Object]string{mapping.Person: "contacts", mapping.Activity: "communications"}[o]
			for _, r := range s.Mapped(o) {
				s.Set(object, r.ID, map[string]string{field: value})
			}
		},
	}
}

// fields are what users of a portal edit.
func fields(s *simulator.Simulator, b hubspot.Binding) map[string]connectortest.Field {
	field := func(object, name, value string) connectortest.Field {
		return connectortest.Field{
			Edit: func() {
				records, _ := s.Records(object)
				for _, r := range records {
					s.Set(object, r.ID, map[string]string{name: value})
				}
			},
			Kept: func() (n int) {
				records, _ := s.Records(object)
				for _, r := range records {
					if r.Properties[name] == value {
						n++
					}
				}
				return n
			},
		}
	}
	all := map[string]connectortest.Field{
		"first name": field("contacts", "firstname", "Given"), "last name": field("contacts", "lastname", "Given Here"),
		"phone": field("contacts", "phone", "+14155559999"), "e-mail": field("contacts", "email", "given@example.test"),
		"company": field("contacts", "company", "Given Inc."), "description": field("contacts", "message", "Given here"),
		"owner": field("contacts", "hubspot_owner_id", "4711"), "life cycle stage": field("contacts", "lifecyclestage", "customer"),
		"whose message": field("communications", "hubspot_owner_id", "4711"),
	}
	if b.Capabilities.EngagementUpsert { // elsewhere the key stands in the text
		all["text"] = field("communications", "hs_communication_body", "Given here")
	}
	if b.Capabilities.Leads {
		all["lead's name"], all["whose lead"] = field("leads", "hs_lead_name", "Given"), field("leads", "hubspot_owner_id", "4711")
	}
	return all
}

// keyOf returns the key of a communication, which stands in the body where the portal has no property for it.
func keyOf(c simulator.Record) string {
	if key := c.Properties["msg_event_key"]; key != "" {
		return key
	}
	return markedKey(c.Properties["hs_communication_body"])
}

// sessions describes how a portal shows sessions, and on its contacts how conversations stand.
func sessions(s *simulator.Simulator, b hubspot.Binding) *connectortest.Sessions {
	shows := &connectortest.Sessions{
		Calls: 2,
		Held: func() (all []connectortest.Shown) {
			communications, _ := s.Records("communications")
			for _, c := range communications {
				all = append(all, connectortest.Shown{
					Key: keyOf(c), Persons: c.Associations["contacts"], Text: plainText(c.Properties["hs_communication_body"]), Rest: c.Properties["hubspot_owner_id"],
				})
			}
			return all
		},
		Edit: func(key string) {
			communications, _ := s.Records("communications")
			for _, c := range communications {
				if keyOf(c) == key {
					s.Set("communications", c.ID, map[string]string{"hubspot_owner_id": "4711"})
				}
			}
		},
	}
	if b.Package >= 3 {
		shows.Standings = func() (all []connectortest.Standing) {
			contacts, _ := s.Records("contacts")
			for _, c := range contacts {
				if status := c.Properties["msg_conversation_status"]; status != "" {
					messages, _ := strconv.Atoi(c.Properties["msg_messages"])
					all = append(all, connectortest.Standing{
						Person: c.ID, Status: conversation.Status(status), Messages: messages, Receipt: c.Properties["msg_last_receipt"],
					})
				}
			}
			return all
		}
	}
	return shows
}

// hubspotTime is how HubSpot answers a time.
func hubspotTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// markedKey returns the key in the marker that ends a body.
func markedKey(body string) string {
	_, rest, _ := strings.Cut(body, "[msg:")
	key, _, _ := strings.Cut(rest, "]")
	return key
}

// ad returns the advertisement that a record shows.
func ad(properties map[string]string) canonical.Attribution {
	return canonical.Attribution{
		SourceType: properties["msg_ad_source"], SourceID: properties["msg_ad_id"], SourceURL: properties["msg_ad_url"],
		Headline: properties["msg_ad_headline"], ClickID: properties["msg_ad_click_id"],
	}
}

var tag = regexp.MustCompile(`<[^>]*>|\[msg:[0-9a-f]*\]`)

// plainText returns a body without its mark-up and marker.
func plainText(body string) string { return html.UnescapeString(tag.ReplaceAllString(body, "")) }

func held(s *simulator.Simulator) connectortest.Held {
	var h connectortest.Held
	contacts, _ := s.Records("contacts")
	for _, c := range contacts {
		consent := map[string]string{}
		for entry := range strings.SplitSeq(c.Properties["msg_consent"], ";") {
			channel, rest, _ := strings.Cut(entry, "=")
			consent[channel], _, _ = strings.Cut(rest, "@")
		}
		replied, _ := time.Parse(time.RFC3339, c.Properties["msg_last_reply_at"])
		h.Persons = append(h.Persons, connectortest.Person{
			ID: c.ID, Owner: c.Properties["hubspot_owner_id"], Key: c.Properties["msg_sender_key"], Name: strings.TrimSpace(c.Properties["firstname"] + " " + c.Properties["lastname"]),
			Address: c.Properties["msg_address"], First: c.Properties["msg_first_message"], Ad: ad(c.Properties), Phone: c.Properties["hs_calculated_phone_number"], Consent: consent,
			RepliedAt: replied, Ended: c.Properties["msg_stop_automation"] == "true",
		})
	}
	tasks, _ := s.Records("tasks")
	for _, one := range tasks {
		h.Notices = append(h.Notices, connectortest.Notice{
			To: one.Properties["hubspot_owner_id"], Person: strings.Join(one.Associations["contacts"], " "), Subject: one.Properties["hs_task_subject"],
		})
	}
	communications, _ := s.Records("communications")
	for _, c := range communications {
		at, _ := time.Parse(time.RFC3339, c.Properties["hs_timestamp"])
		h.Activities = append(h.Activities, connectortest.Activity{
			ExternalID: keyOf(c), Persons: c.Associations["contacts"], At: at, Text: plainText(c.Properties["hs_communication_body"]), Ad: ad(c.Properties),
			Status: strings.Join(strings.Fields(c.Properties["msg_status"]+" "+c.Properties["msg_status_error"]+" "+c.Properties["msg_status_reason"]), " "),
		})
	}
	return h
}

func deleteAll(s *simulator.Simulator, object string) {
	all, _ := s.Records(object)
	for _, r := range all {
		s.Archive(object, r.ID)
	}
}

func heldFiles(s *simulator.Simulator) (all []connectortest.HeldFile) {
	files, _ := s.Records("files")
	notes, _ := s.Records("notes")
	for _, f := range files {
		body, _ := base64.StdEncoding.DecodeString(f.Properties["content"])
		one := connectortest.HeldFile{ID: f.ID, Name: f.Properties["name"] + f.Properties["extension"], Body: string(body)}
		for _, n := range notes {
			if slices.Contains(strings.Split(n.Properties["hs_attachment_ids"], ";"), f.ID) {
				one.On = append(one.On, n.Associations["contacts"]...)
			}
		}
		all = append(all, one)
	}
	return all
}

// refusals are HubSpot's own, in its words.
func refusals() []connectortest.Refusal {
	const echo = "Secret words"
	return []connectortest.Refusal{
		{
			Name: "burst limit", Status: http.StatusTooManyRequests, Want: fault.Throttled, Code: "hubspot_burst_limit", Wait: 10 * time.Second,
			Body: `{"status":"error","errorType":"RATE_LIMIT","policyName":"TEN_SECONDLY_ROLLING","message":"You have reached your ten_secondly_rolling limit."}`,
		},
		{
			Name: "daily limit", Status: http.StatusTooManyRequests, Want: fault.Blocked, Code: "hubspot_daily_limit", Wait: time.Hour,
			Body: `{"status":"error","errorType":"RATE_LIMIT","policyName":"DAILY"}`,
		},
		{
			Name: "token refused", Status: http.StatusUnauthorized, Want: fault.Blocked, Code: "hubspot_unauthenticated",
			Body: `{"status":"error","category":"INVALID_AUTHENTICATION","message":"` + echo + `"}`,
		},
		{
			Name: "scopes missing", Status: http.StatusForbidden, Want: fault.Blocked, Code: "hubspot_missing_scopes",
			Body: `{"status":"error","category":"MISSING_SCOPES","context":{"missingScopes":["crm.objects.contacts.write"]}}`,
		},
		{
			Name: "property missing", Status: http.StatusBadRequest, Want: fault.Blocked, Code: "hubspot_property_missing",
			Body: `{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"` + echo + `\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"msg_channel\"}]"}`,
		},
		{
			Name: "value refused", Status: http.StatusBadRequest, Want: fault.Permanent, Code: "hubspot_invalid_data",
			Body: `{"status":"error","category":"VALIDATION_ERROR","message":"` + echo + ` PROPERTY_DOESNT_EXIST"}`,
		},
		{Name: "moving", Status: 477, Header: http.Header{"Retry-After": {"120"}}, Want: fault.Throttled, Code: "hubspot_moving", Wait: 2 * time.Minute},
		{Name: "locked", Status: http.StatusLocked, Want: fault.Retryable, Code: "hubspot_locked", Wait: 2 * time.Second},
	}
}
