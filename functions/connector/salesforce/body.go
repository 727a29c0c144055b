package salesforce

import (
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// The objects of messages.
const (
	eventObject = "Msg_Event__c"
	taskObject  = "Task"
)

// The fields that are external ids.
const (
	fieldPersonKey = "Msg_Sender_Key__c"
	fieldEventKey  = "Event_Key__c"
	fieldTaskKey   = "Msg_Event_Key__c"
)

// Lengths that Salesforce keeps.
const (
	maxFirstName = 40
	maxLastName  = 80
	maxPhone     = 40
	maxText      = 32000
	maxSubject   = 255
	maxLabel     = 80
	maxProvider  = 255
	maxField     = 255
	maxAdSource  = 64
	maxURL       = 4096
)

// maxAttachments is how many attachments are listed; no channel sends more, and a forged list must not fill the text.
const maxAttachments = 50

// instant is a time as Salesforce reads it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// instantOf reads a time as Salesforce writes it, zero where there is none.
func instantOf(written string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
		if t, err := time.Parse(layout, written); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// personBody is a lead or contact who is new to the org. A field without a value is left out: null would clear what is held.
type personBody struct {
	Key          string `json:"Msg_Sender_Key__c"`
	FirstName    string `json:"FirstName,omitempty"`
	LastName     string `json:"LastName"`
	Company      string `json:"Company,omitempty"` // of a lead, required
	Phone        string `json:"Phone,omitempty"`
	Email        string `json:"Email,omitempty"`
	LeadSource   string `json:"LeadSource,omitempty"`
	Source       string `json:"Msg_Source__c,omitempty"`
	Channel      string `json:"Msg_Channel__c,omitempty"`
	FirstMessage string `json:"Msg_First_Message__c,omitempty"`
	Address      string `json:"Msg_Address__c,omitempty"`
	AdSource     string `json:"Msg_Ad_Source__c,omitempty"`
	AdID         string `json:"Msg_Ad_Id__c,omitempty"`
	AdURL        string `json:"Msg_Ad_Url__c,omitempty"`
	AdHeadline   string `json:"Msg_Ad_Headline__c,omitempty"`
	AdClickID    string `json:"Msg_Ad_Click_Id__c,omitempty"`
}

func newPerson(d delivery.Delivery, object string, by origin) personBody {
	ensure := map[string]string{}
	for _, a := range d.Actions {
		if a.Kind == delivery.EnsurePerson {
			ensure = a.Value
		}
	}
	or := func(value, otherwise string) string {
		if value == "" {
			return otherwise
		}
		return value
	}
	first, last := nameOf(d)
	label := connector.ChannelLabel(d.Event.Channel)
	p := personBody{
		Key: d.Person.Key, FirstName: first, LastName: last,
		Phone: connector.Cut(d.Person.Phone, maxPhone), Email: strings.ToLower(strings.TrimSpace(d.Person.Email)),
		LeadSource:   connector.Cut(label, maxFirstName),
		Source:       connector.Cut(or(ensure["source"], "messaging"), maxLabel),
		Channel:      or(ensure["channel"], string(d.Event.Channel)),
		FirstMessage: connector.Cut(or(ensure["description"], connector.Said(d.Event)), maxText),
		Address:      by.address, AdSource: by.source, AdID: by.id, AdURL: by.url, AdHeadline: by.headline, AdClickID: by.click,
	}
	if object == leadObject {
		p.Company = "(from " + label + ")"
	}
	return p
}

// origin is where a person came from, as far as it fits.
type origin struct{ address, source, id, url, headline, click string }

// originOf returns where the person of a delivery came from. An org whose release of package/ has no fields for it gets nothing.
func (o *org) originOf(d delivery.Delivery) origin {
	if o.binding.Package < 2 {
		return origin{}
	}
	by := origin{address: connector.Whole(connector.AddressOf(d), maxField)}
	if a := d.Event.Attribution; a != nil {
		by.source, by.id, by.click = connector.Whole(a.SourceType, maxAdSource), connector.Whole(a.SourceID, maxField), connector.Whole(a.ClickID, maxField)
		by.url, by.headline = connector.Whole(a.SourceURL, maxURL), connector.Cut(a.Headline, maxField)
	}
	return by
}

// eventBody is a message. Whose it is is said in full: of the two, one is null. The status of what was sent is its receipts'
// alone: they may have come first, and nothing is to set it back.
type eventBody struct {
	Contact    *string `json:"Contact__c"`
	Lead       *string `json:"Lead__c"`
	Direction  string  `json:"Direction__c,omitempty"`
	Channel    string  `json:"Channel__c,omitempty"`
	Status     string  `json:"Status__c,omitempty"`
	OccurredAt string  `json:"Occurred_At__c"`
	Body       string  `json:"Body__c,omitempty"`
	Provider   string  `json:"Provider__c,omitempty"`
	ProviderID string  `json:"Provider_Id__c,omitempty"`
	AdSource   string  `json:"Ad_Source__c,omitempty"`
	AdID       string  `json:"Ad_Id__c,omitempty"`
	AdURL      string  `json:"Ad_Url__c,omitempty"`
	AdHeadline string  `json:"Ad_Headline__c,omitempty"`
	AdClickID  string  `json:"Ad_Click_Id__c,omitempty"`
}

func newEvent(e canonical.Event, who, object string, by origin) eventBody {
	b := eventBody{
		Direction: string(e.Direction), Channel: string(e.Channel), OccurredAt: instant(e.Timestamp), Body: text(e),
		Provider: connector.Cut(e.Provider, maxLabel-16), ProviderID: connector.Cut(e.ProviderMessageID, maxProvider),
		AdSource: by.source, AdID: by.id, AdURL: by.url, AdHeadline: by.headline, AdClickID: by.click,
	}
	if e.Direction == canonical.Inbound {
		b.Status = "received"
	}
	if object == contactObject {
		b.Contact = &who
	} else {
		b.Lead = &who
	}
	return b
}

// taskBody is a message on a person's timeline. Key is only written where it is no external id.
type taskBody struct {
	Key         string `json:"Msg_Event_Key__c,omitempty"`
	Subject     string `json:"Subject"`
	Status      string `json:"Status"`
	Priority    string `json:"Priority"`
	Subtype     string `json:"TaskSubtype"`
	Date        string `json:"ActivityDate"`
	Who         string `json:"WhoId"`
	Description string `json:"Description,omitempty"`
	OccurredAt  string `json:"Msg_Occurred_At__c"`
	Channel     string `json:"Msg_Channel__c,omitempty"`
}

func newTask(e canonical.Event, who string) taskBody {
	direction := " in: "
	if e.Direction == canonical.Outbound {
		direction = " out: "
	}
	said := strings.Join(strings.Fields(connector.Said(e)), " ")
	return taskBody{
		Subject: connector.Cut(strings.TrimSuffix(connector.ChannelLabel(e.Channel)+direction+said, ": "), maxSubject),
		Status:  "Completed", Priority: "Normal", Subtype: "Task",
		Date: e.Timestamp.UTC().Format(time.DateOnly), // a day has no time zone here; the exact time is our own field's
		Who:  who, Description: text(e), OccurredAt: instant(e.Timestamp), Channel: string(e.Channel),
	}
}

// text returns what was said, with attachments and place as addresses.
func text(e canonical.Event) string {
	var after strings.Builder
	if e.Message != nil {
		for i, a := range e.Message.Attachments[:min(len(e.Message.Attachments), maxAttachments)] {
			name := a.Name
			if name == "" {
				name = "Attachment " + strconv.Itoa(i+1)
			}
			if a.ContentType != "" {
				name += " (" + a.ContentType + ")"
			}
			after.WriteString("\n" + connector.Cut(name, 300) + ": " + connector.Cut(a.URL, 2000))
		}
		if place := e.Message.Location; place != nil {
			after.WriteString("\nLocation: " + strconv.FormatFloat(place.Latitude, 'f', 6, 64) + ", " + strconv.FormatFloat(place.Longitude, 'f', 6, 64))
		}
	}
	left := maxText - len(after.String())
	if left < maxText/4 { // addresses of absurd length: the text matters more
		return connector.Cut(connector.Said(e), maxText)
	}
	return connector.Cut(connector.Said(e), left) + after.String()
}
