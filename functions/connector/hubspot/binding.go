package hubspot

import (
	"context"
	"net/url"
	"strings"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// Bindings returns what a tenant has set up for one of its HubSpot portals; the name is delivery.Delivery.CRM. Errors
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
	Package      int          // the release of package/ that is installed; what came with a later one is not written. 0 is 1
	Capabilities Capabilities
	Properties   Properties
}

// Package is the newest release of package/. The second brought where the person came from: the address of who has no phone, and
// the advertisement.
const Package = 2

// Capabilities are what not every portal has.
type Capabilities struct {
	Leads            bool // the lead object (a Sales Hub seat)
	EngagementUpsert bool // a unique custom property on communications
}

// Properties are the names of the custom properties. An empty name is the default, which package/ installs. Once a binding is
// checked, it is that of a property which the binding's release of package/ does not have.
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
	Address        string `json:"address"`
	AdSource       string `json:"adSource"` // this and the following of contacts and of communications
	AdID           string `json:"adId"`
	AdURL          string `json:"adUrl"`
	AdHeadline     string `json:"adHeadline"`
	AdClickID      string `json:"adClickId"`
}

// property ties a field of Properties to its default name and the release of package/ that it came with.
type property struct {
	name     *string
	standard string
	since    int
}

func (p *Properties) all() []property {
	return []property{
		{&p.SenderKey, "msg_sender_key", 1},
		{&p.Source, "msg_source", 1},
		{&p.Channel, "msg_channel", 1},
		{&p.FirstMessage, "msg_first_message", 1},
		{&p.OptOut, "msg_opt_out", 1},
		{&p.OptOutAt, "msg_opt_out_at", 1},
		{&p.OptOutChannel, "msg_opt_out_channel", 1},
		{&p.Consent, "msg_consent", 1},
		{&p.LastReplyAt, "msg_last_reply_at", 1},
		{&p.StopAutomation, "msg_stop_automation", 1},
		{&p.EventKey, "msg_event_key", 1},
		{&p.Direction, "msg_direction", 1},
		{&p.Status, "msg_status", 1},
		{&p.StatusError, "msg_status_error", 1},
		{&p.Address, "msg_address", 2},
		{&p.AdSource, "msg_ad_source", 2},
		{&p.AdID, "msg_ad_id", 2},
		{&p.AdURL, "msg_ad_url", 2},
		{&p.AdHeadline, "msg_ad_headline", 2},
		{&p.AdClickID, "msg_ad_click_id", 2},
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
	if strings.ContainsFunc(string(b.Token), func(r rune) bool { return r <= ' ' || r > '~' }) { // no header can hold it
		return b, routes{}, fault.New(fault.Blocked, "hubspot_token_invalid", nil)
	}
	r, ok := routesOf(b.Version)
	if !ok {
		return b, routes{}, fault.New(fault.Blocked, "hubspot_version_unknown", nil)
	}
	for _, p := range b.Properties.all() {
		switch {
		case p.since > max(b.Package, 1):
			*p.name = "" // it is not there
		case *p.name == "":
			*p.name = p.standard
		}
	}
	return b, r, nil
}
