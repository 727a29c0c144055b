// Package plugins lists the channels whose webhooks programs and tests can send, and the CRMs that tests can run as Go values. It is the one place besides the template's lists
// that names a plug-in: Go finds no package by itself.
package plugins

import (
	applebusiness "signalbox/functions/adapter/applebusiness/samples"
	bird "signalbox/functions/adapter/bird/samples"
	bluebubbles "signalbox/functions/adapter/bluebubbles/samples"
	edge "signalbox/functions/adapter/edge/samples"
	infobip "signalbox/functions/adapter/infobip/samples"
	outreach "signalbox/functions/adapter/outreach/samples"
	rbm "signalbox/functions/adapter/rbm/samples"
	sinch "signalbox/functions/adapter/sinch/samples"
	telnyx "signalbox/functions/adapter/telnyx/samples"
	twilio "signalbox/functions/adapter/twilio/samples"
	vonage "signalbox/functions/adapter/vonage/samples"
	whatsapp "signalbox/functions/adapter/whatsapp/samples"
	dynamics "signalbox/functions/connector/dynamics/dynamicstest"
	hubspot "signalbox/functions/connector/hubspot/hubspottest"
	salesforce "signalbox/functions/connector/salesforce/salesforcetest"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/samples"
)

// Channels returns the channels by the names of their folders in functions/adapter.
func Channels() map[string]samples.Channel {
	return map[string]samples.Channel{
		"bluebubbles":   bluebubbles.Channel{},
		"bird":          bird.Channel{},
		"vonage":        vonage.Channel{},
		"sinch":         sinch.Channel{},
		"rbm":           rbm.Channel{},
		"infobip":       infobip.Channel{},
		"telnyx":        telnyx.Channel{},
		"edge":          edge.Channel{},
		"outreach":      outreach.Channel{},
		"twilio":        twilio.Channel{},
		"whatsapp":      whatsapp.Channel{},
		"applebusiness": applebusiness.Channel{},
	}
}

// CRMs returns the CRMs by the names of their folders in functions/connector.
func CRMs() map[string]simulatortest.CRM {
	return map[string]simulatortest.CRM{
		"dynamics":   dynamics.CRM(),
		"hubspot":    hubspot.CRM(),
		"salesforce": salesforce.CRM(),
	}
}
