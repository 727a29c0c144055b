package salesforce

import (
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

// The fields of every record that say whose it is and who made it.
const (
	fieldOwner   = "OwnerId"
	fieldCreator = "CreatedById"
	fieldCreated = "CreatedDate"
)

// fieldDescription is where reps look for what a person wrote.
const fieldDescription = "Description"

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

// instantOf reads a time as Salesforce writes it, zero where there is none.
func instantOf(written string) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
		if t, err := time.Parse(layout, written); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// newPerson returns a lead or contact who is new to the org.
func newPerson(d delivery.Delivery, object string, by origin) connector.Object {
	first, last := nameOf(d)
	source, channel, said := connector.Ensured(d)
	label, company := connector.ChannelLabel(d.Event.Channel), ""
	if object == leadObject {
		company = "(from " + label + ")"
	}
	return connector.Object{
		fieldPersonKey, d.Person.Key, fieldOwner, connector.OwnerOf(d),
		"FirstName", first, "LastName", last, "Company", company,
		"Phone", connector.Cut(d.Person.Phone, maxPhone), "Email", connector.EmailOf(d),
		"LeadSource", connector.Cut(label, maxFirstName),
		"Msg_Source__c", connector.Cut(source, maxLabel), "Msg_Channel__c", channel,
		"Msg_First_Message__c", connector.Cut(said, maxText), fieldDescription, connector.Cut(said, maxText),
		"Msg_Address__c", by.address, "Msg_Ad_Source__c", by.source, "Msg_Ad_Id__c", by.id,
		"Msg_Ad_Url__c", by.url, "Msg_Ad_Headline__c", by.headline, "Msg_Ad_Click_Id__c", by.click,
	}
}

// origin is where a person came from, as far as it fits.
type origin struct{ address, source, id, url, headline, click string }

// originOf returns where the person of a delivery came from. An org whose release of package/ has no fields for it gets nothing.
func (o *org) originOf(d delivery.Delivery) origin {
	if o.binding.Package < releaseOrigins {
		return origin{}
	}
	by := origin{address: connector.Whole(connector.AddressOf(d), maxField)}
	if a := d.Event.Attribution; a != nil {
		by.source, by.id, by.click = connector.Whole(a.SourceType, maxAdSource), connector.Whole(a.SourceID, maxField), connector.Whole(a.ClickID, maxField)
		by.url, by.headline = connector.Whole(a.SourceURL, maxURL), connector.Cut(a.Headline, maxField)
	}
	return by
}

// newEvent returns a message. Whose it is is said in full: of the two, one is null. The status of what was sent is its receipts'
// alone: they may have come first, and nothing is to set it back.
func newEvent(e canonical.Event, who, object string, by origin) connector.Object {
	status := ""
	if e.Direction == canonical.Inbound {
		status = "received"
	}
	return append(sheet{object: eventObject}.lookups(who, object),
		"Direction__c", string(e.Direction), "Channel__c", string(e.Channel), "Status__c", status,
		"Occurred_At__c", connector.Instant(e.Timestamp), "Body__c", connector.PlainText(e, maxText),
		"Provider__c", connector.Cut(e.Provider, maxLabel-16), "Provider_Id__c", connector.Cut(e.ProviderMessageID, maxProvider),
		"Ad_Source__c", by.source, "Ad_Id__c", by.id, "Ad_Url__c", by.url, "Ad_Headline__c", by.headline, "Ad_Click_Id__c", by.click)
}

// newTask returns a message on a person's timeline. The key is only written where it is no external id.
func newTask(e canonical.Event, key, who string) connector.Object {
	return connector.Object{
		fieldTaskKey, key,
		"Subject", connector.Cut(connector.MessageSubject(e), maxSubject),
		"Status", "Completed", "Priority", "Normal", "TaskSubtype", "Task",
		"ActivityDate", e.Timestamp.UTC().Format(time.DateOnly), // a day has no time zone here; the exact time is our own field's
		"WhoId", who, "Description", connector.PlainText(e, maxText), "Msg_Occurred_At__c", connector.Instant(e.Timestamp), "Msg_Channel__c", string(e.Channel),
	}
}
