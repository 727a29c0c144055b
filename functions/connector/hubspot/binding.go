package hubspot

import (
	"context"
	"net/url"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// Bindings answers what a tenant has set up for one of its HubSpot portals; the name is delivery.Delivery.CRM. Errors
// are sorted by package fault.
type Bindings interface {
	Binding(ctx context.Context, tenantID, name string) (Binding, error)
}

// Binding is one portal as a tenant set it up.
type Binding struct {
	BaseURL      string       // https://api.hubapi.com in production, without a slash at the end
	Token        secret.Value // a service key, or the token of an app with static authentication
	Version      string       // of the API paths: Version202603, Version202609 or VersionLegacy; empty is Version202603
	LeadType     string       // value of hs_lead_type for new leads; empty leaves it to the portal
	Capabilities Capabilities
	Properties   Properties
}

// Capabilities are what not every portal has.
type Capabilities struct {
	Leads            bool // the lead object (a Sales Hub seat)
	EngagementUpsert bool // a unique custom property on communications
}

// Properties are the names of the custom properties. An empty name is the default, which package/ installs.
type Properties struct {
	SenderKey      string `json:"senderKey"`
	Source         string `json:"source"`
	Channel        string `json:"channel"`
	FirstMessage   string `json:"firstMessage"`
	OptOut         string `json:"optOut"`
	OptOutAt       string `json:"optOutAt"`
	OptOutChannel  string `json:"optOutChannel"`
	Consent        string `json:"consent"`
	LastReplyAt    string `json:"lastReplyAt"`
	StopAutomation string `json:"stopAutomation"`
	EventKey       string `json:"eventKey"`
	Direction      string `json:"direction"`
	Status         string `json:"status"`
	StatusError    string `json:"statusError"`
}

// property ties a field of Properties to its default name.
type property struct {
	name     *string
	standard string
}

func (p *Properties) all() []property {
	return []property{
		{&p.SenderKey, "msg_sender_key"},
		{&p.Source, "msg_source"},
		{&p.Channel, "msg_channel"},
		{&p.FirstMessage, "msg_first_message"},
		{&p.OptOut, "msg_opt_out"},
		{&p.OptOutAt, "msg_opt_out_at"},
		{&p.OptOutChannel, "msg_opt_out_channel"},
		{&p.Consent, "msg_consent"},
		{&p.LastReplyAt, "msg_last_reply_at"},
		{&p.StopAutomation, "msg_stop_automation"},
		{&p.EventKey, "msg_event_key"},
		{&p.Direction, "msg_direction"},
		{&p.Status, "msg_status"},
		{&p.StatusError, "msg_status_error"},
	}
}

// check fills the defaults in and answers a blocked fault for what cannot work.
func (b Binding) check() (Binding, routes, error) {
	base, err := url.Parse(b.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.RawQuery != "" {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_base_url_invalid", nil)
	}
	if b.Token == "" {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_token_missing", nil)
	}
	r, ok := routesOf(b.Version)
	if !ok {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_version_unknown", nil)
	}
	for _, p := range b.Properties.all() {
		if *p.name == "" {
			*p.name = p.standard
		}
	}
	return b, r, nil
}
