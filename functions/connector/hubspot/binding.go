package hubspot

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// Binding is one portal as a tenant set it up.
type Binding struct {
	BaseURL      string       // https://api.hubapi.com in production, without a slash at the end
	Token        secret.Value // a service key, or the token of an app with static authentication
	Version      string       // of the API paths: Version202603, Version202609 or VersionLegacy; empty is Version202603
	PortalID     int64        // the portal that the token is to be of; 0 is any
	LeadType     string       // value of hs_lead_type for new leads; empty leaves it to the portal
	Package      int          // the release of package/ that is installed; what came with a later one is not written. 0 is 1
	Capabilities Capabilities
	Properties   Properties
	Settings     json.RawMessage   // as the tenant has them: Connect compares the mapping in them with the portal
	Work         []delivery.Action // that the tenant's rules ask for: Connect compares it, too
}

// Package is the newest release of package/. The second brought where the person came from: the address of who has no phone, and
// the advertisement. The third brought how the person's newest conversation stands, and the fourth why a message
// did not arrive. The fifth brought what work needs that rules ask for: a status' time, automations, and the key of tickets.
const Package = 5

// Capabilities are what not every portal has.
type Capabilities struct {
	Leads            bool // the lead object (a Sales Hub seat)
	EngagementUpsert bool // a unique custom property on communications
}

// Properties are the names of the custom properties. An empty name is the default, which package/ installs. Once a binding is
// checked, it is that of a property which the binding's release of package/ does not have. The tags hold the default and the
// release that the property came with.
type Properties struct {
	SenderKey      string `json:"senderKey" standard:"msg_sender_key" since:"1"`
	Source         string `json:"source" standard:"msg_source" since:"1"`
	Channel        string `json:"channel" standard:"msg_channel" since:"1"`
	FirstMessage   string `json:"firstMessage" standard:"msg_first_message" since:"1"`
	OptOut         string `json:"optOut" standard:"msg_opt_out" since:"1"`
	OptOutAt       string `json:"optOutAt" standard:"msg_opt_out_at" since:"1"`
	OptOutChannel  string `json:"optOutChannel" standard:"msg_opt_out_channel" since:"1"`
	Consent        string `json:"consent" standard:"msg_consent" since:"1"`
	LastReplyAt    string `json:"lastReplyAt" standard:"msg_last_reply_at" since:"1"`
	StopAutomation string `json:"stopAutomation" standard:"msg_stop_automation" since:"1"`
	EventKey       string `json:"eventKey" standard:"msg_event_key" since:"1"`
	Direction      string `json:"direction" standard:"msg_direction" since:"1"`
	Status         string `json:"status" standard:"msg_status" since:"1"`
	StatusError    string `json:"statusError" standard:"msg_status_error" since:"1"`
	StatusReason   string `json:"statusReason" standard:"msg_status_reason" since:"4"`
	Address        string `json:"address" standard:"msg_address" since:"2"`
	AdSource       string `json:"adSource" standard:"msg_ad_source" since:"2"` // this and the following of contacts and of communications
	AdID           string `json:"adId" standard:"msg_ad_id" since:"2"`
	AdURL          string `json:"adUrl" standard:"msg_ad_url" since:"2"`
	AdHeadline     string `json:"adHeadline" standard:"msg_ad_headline" since:"2"`
	AdClickID      string `json:"adClickId" standard:"msg_ad_click_id" since:"2"`

	ConversationStatus   string `json:"conversationStatus" standard:"msg_conversation_status" since:"3"`
	ConversationChannel  string `json:"conversationChannel" standard:"msg_conversation_channel" since:"3"`
	ConversationLine     string `json:"conversationLine" standard:"msg_conversation_line" since:"3"`
	ConversationOwner    string `json:"conversationOwner" standard:"msg_conversation_owner" since:"3"`
	WaitingSince         string `json:"waitingSince" standard:"msg_waiting_since" since:"3"`
	FirstInboundAt       string `json:"firstInboundAt" standard:"msg_first_inbound_at" since:"3"`
	LastInboundAt        string `json:"lastInboundAt" standard:"msg_last_inbound_at" since:"3"`
	FirstOutboundAt      string `json:"firstOutboundAt" standard:"msg_first_outbound_at" since:"3"`
	LastOutboundAt       string `json:"lastOutboundAt" standard:"msg_last_outbound_at" since:"3"`
	FirstResponseSeconds string `json:"firstResponseSeconds" standard:"msg_first_response_seconds" since:"3"`
	Messages             string `json:"messages" standard:"msg_messages" since:"3"`
	LastReceipt          string `json:"lastReceipt" standard:"msg_last_receipt" since:"3"`

	CaseKey         string `json:"caseKey" standard:"msg_case_key" since:"5"` // of tickets
	StatusSetAt     string `json:"statusSetAt" standard:"msg_status_set_at" since:"5"`
	Automation      string `json:"automation" standard:"msg_automation" since:"5"`
	AutomationAt    string `json:"automationAt" standard:"msg_automation_at" since:"5"`
	AutomationInput string `json:"automationInput" standard:"msg_automation_input" since:"5"`
}

// resolve fills in the names for a release of package/.
func (p *Properties) resolve(release int) {
	fields := reflect.ValueOf(p).Elem()
	for i := range fields.NumField() {
		field, tag := fields.Field(i), fields.Type().Field(i).Tag
		switch since, _ := strconv.Atoi(tag.Get("since")); {
		case since > max(release, 1):
			field.SetString("") // it is not there
		case field.String() == "":
			field.SetString(tag.Get("standard"))
		}
	}
}

// check fills the defaults in and returns a blocked fault for what cannot work.
func (b Binding) check() (Binding, routes, error) {
	if !connector.IsOrigin(b.BaseURL) {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_base_url_invalid", nil)
	}
	if b.Token == "" {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_token_missing", nil)
	}
	if strings.ContainsFunc(string(b.Token), func(r rune) bool { return r <= ' ' || r > '~' }) { // no header can hold it
		return b, routes{}, fault.New(fault.Blocked, "hubspot_token_invalid", nil)
	}
	r, ok := routesOf(b.Version)
	if !ok {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_version_unknown", nil)
	}
	b.Properties.resolve(b.Package)
	return b, r, nil
}
