package router

// dictionary is what records have in common: members in the order in which they are written, and values that most have.
// Compressed with it a record takes a half to a third of what it takes without, so that one of an ordinary message stays within
// the kilobyte that the database bills as one. It is part of the format: whoever changes it keeps the old one for the records
// that were written with it, which name it by its checksum (RFC 1950, section 2.2).
const dictionary = `"agent","automation","apple","imessage","web","edit","retract","reaction","emoji":"relatesTo":{"kind":"reply","providerMessageId":"` +
	`"status","outbound","receipt":{"state":"delivered","sent","read","failed","at":"error":"code":"` +
	`"participants":[{"id":"hashedEmail":"channelAddress":"rcs:conv:whatsapp:"displayName":"` +
	`"suggestions":[{"template":{"location":{"latitude":"longitude":"label":"address":"postback":{"text":"payload":"` +
	`"attachments":[{"url":"https://api.twilio.com/2010-04-01/Accounts/AC/Messages/MM/Media/ME","contentType":"image/jpeg","name":"size":` +
	`"consent":{"keyword":"stop","state":"opted_out","source":"keyword"},"start","opted_in","provider","superseded":true,"owed":"help_answer",` +
	`"attribution":{"source":"autoReply":true,"historical":true,"replayed":true,` +
	`"ButtonPayload":"[redacted]","ButtonText":"[redacted]","ProfileName":"[redacted]","WaId":"[redacted]","ExternalUserId":"[redacted]",` +
	`"MediaContentType0":"image/jpeg","MediaUrl0":"[redacted]","MessageType":"text","OptOutType":"STOP",` +
	`{"rule":"consent-keyword","version":1},{"kind":"set_consent","value":{"at":"channel":"state":"help-keyword",` +
	`{"format":1,"routedAt":"2026-01-01T00:00:00.000Z","event":{"eventId":"","schemaVersion":2,"tenantId":"","accountId":"","lineId":"",` +
	`"threadId":"t1_","type":"message","channel":"whatsapp","channel":"rcs","channel":"sms","direction":"inbound",` +
	`"conversationId":"sms::conv:","provider":"twilio","providerMessageId":"SM","sender":{"id":"whatsapp:","phone":"+1"},` +
	`"recipient":{"phone":"+1"},"actor":{"kind":"customer"},"message":{"text":"","summary":"","contentType":"text/plain"},` +
	`"timestamp":"2026-","receivedAt":"2026-","flags":{"timeEstimated":true},"trace":{"traceparent":"00-","causationId":""},` +
	`"metadata":{"rawVendor":{"AccountSid":"AC","ApiVersion":"2010-04-01","Body":"[redacted]","From":"[redacted]",` +
	`"FromCity":"[redacted]","FromCountry":"US","FromState":"[redacted]","FromZip":"[redacted]","MessageSid":"SM",` +
	`"MessagingServiceSid":"MG","NumMedia":"0","NumSegments":"1","SmsMessageSid":"SM","SmsSid":"SM","SmsStatus":"received",` +
	`"To":"[redacted]","ToCity":"[redacted]","ToCountry":"US","ToState":"[redacted]","ToZip":"[redacted]"},` +
	`"twilio":{"messagingServiceSid":"MG"}}},"decision":{"rules":1,"person":{"key":"","name":"","phone":"+1","region":"US"},` +
	`"crms":[{"crm":"salesforce","kind":"salesforce","links":{"contact":"1"},"crm":"hubspot","kind":"hubspot","links":{"contact":"1"},` +
	`"actions":[{"kind":"ensure_person","value":{"channel":"sms","description":"","source":"messaging"}},{"kind":"log_activity"}],` +
	`"why":[{"rule":"unknown-sender","version":1},{"rule":"message","version":1}]}],` +
	`"matched":[{"rule":"unknown-sender","version":1},{"rule":"message","version":1}]}}`
