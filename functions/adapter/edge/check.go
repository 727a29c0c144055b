package edge

import (
	"slices"
	"unicode/utf8"

	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// Codes of problems that no event has.
const (
	codeUnowned  = "unowned"
	codeUnserved = "unserved"
)

// What requests and their members must be.
const (
	wantMedia      = "must be application/json, application/cloudevents+json or application/cloudevents-batch+json; CloudEvents in binary mode are not taken, for no signature covers their attributes"
	wantJSON       = "must be JSON in UTF-8, nested at most 100 deep, with nothing behind it"
	wantArray      = "must be an array of CloudEvents"
	wantName       = "must come with the header webhook-id: an id of this request's own, the same on every repeat"
	wantBatch      = "must be 1 to 100 events"
	wantSmall      = "must be smaller: leave out metadata.rawVendor, shorten the text, or put it into an attachment"
	wantObject     = "must be an object"
	wantString     = "must be a string"
	wantOnce       = "must not appear twice"
	wantMember     = "is required"
	wantID         = "must be 1 to 256 printable ASCII characters, with no space at either end"
	wantNewID      = "must not be that of an event before it in this batch"
	wantSource     = "must be 1 to 200 printable ASCII characters, with no space at either end"
	wantSpec       = `must be "1.0"`
	wantTime       = "must be RFC 3339 with an offset, between the years 1970 and 9999"
	wantDataType   = "must be application/json, or left out"
	wantData       = "must not be there: the event is an object in data"
	wantType       = "must be message, edit, retract, receipt, reaction, consent or identity"
	wantThread     = "must be at most 512 characters"
	wantMetadata   = "must have at most 60 members"
	wantMessage    = "is required of a receipt, here or in relatesTo: the id that the message was sent with"
	wantActor      = "must be customer or automation of what came in, agent or automation of what went out"
	wantPerson     = "must be at most 200 characters"
	wantKnown      = "must be at most 60"
	wantVisitor    = "is required on the web: what visitors say of themselves tells nobody apart"
	wantNothing    = "must not be there: an encrypted message has no content here"
	wantAllowed    = "must be encryption or extraction alone, on an encrypted message; encryption is an object of decryptedBy and consentReference, texts of 1 to 256 characters"
	wantExtracted  = "must be extraction, and of an encrypted message encryption, alone: what a device forwards has no other metadata"
	wantExtraction = "must be an object of by, which is required, and consentReference, texts of 1 to 256 characters"
	wantConsent    = "must not be there without metadata.extraction.consentReference: no content leaves a device without a consent; a message has the contentType encrypted"
	wantPage       = "must be message or consent: a page tells what its visitor says"
	wantInbound    = "must be inbound, or left out: a page tells what its visitor says"
	wantWeb        = "must be web, or left out: a page has no other"
	wantLine       = "must have a phone or channelAddress of a line of this account, as its configuration writes it; a new line is known within a minute"
	wantServed     = "must be one of the channels that the line serves by its configuration; a channel that is added is known within a minute"
)

// check reports what the door wants of an event beside the rules of all.
func (in *input) check(e *canonical.Event) {
	switch {
	case in.cloud:
	case in.id == "":
		in.add(in.idPath(), canonical.ProblemRequired, wantMember)
	case !canonical.Printable(maxID)(in.id):
		in.add(in.idPath(), canonical.ProblemFormat, wantID)
	}
	if utf8.RuneCountInString(in.conversation) > maxThread {
		in.add(in.at+".conversationId", canonical.ProblemLength, wantThread)
	}
	if len(e.Metadata) > maxMetadata {
		in.add(in.at+".metadata", canonical.ProblemLength, wantMetadata)
	}
	switch e.Type {
	case canonical.TypeMessage, canonical.TypeEdit, canonical.TypeRetract, canonical.TypeReaction, canonical.TypeConsent, canonical.TypeIdentity:
	case canonical.TypeReceipt:
		if e.ProviderMessageID == "" {
			in.add(in.at+".providerMessageId", canonical.ProblemRequired, wantMessage)
		}
	default:
		in.add(in.at+".type", canonical.ProblemValue, wantType)
	}
	in.checkSides(e)
	in.checkEncrypted(e)
	in.checkExtracted(e)
}

// checkSides reports what is wrong with who acted, and with the two sides.
func (in *input) checkSides(e *canonical.Event) {
	if e.Actor != nil && (e.Direction == canonical.Inbound && e.Actor.Kind == "agent" || e.Direction == canonical.Outbound && e.Actor.Kind == "customer") {
		in.add(in.at+".actor.kind", canonical.ProblemValue, wantActor)
	}
	if len(in.theirs.Identifiers) > maxKnown {
		in.add(in.theirsPath(".identifiers"), canonical.ProblemLength, wantKnown)
	}
	if e.Channel == canonical.Web && in.theirs.ID == "" {
		in.add(in.theirsPath(".id"), canonical.ProblemRequired, wantVisitor)
	}
	if in.ours.Phone == "" && in.ours.ChannelAddress == "" && in.ours.ID == "" {
		in.add(in.at+"."+in.oursName, codeUnowned, wantLine)
	}
}

// checkEncrypted reports what an encrypted message has and is not to have: content, and metadata beyond who decrypted it and by what consent.
func (in *input) checkEncrypted(e *canonical.Event) {
	m := in.said
	if m == nil || m.ContentType != canonical.ContentEncrypted {
		return
	}
	for _, part := range []struct {
		name string
		has  bool
	}{
		{"text", m.Text != ""},
		{"summary", m.Summary != ""},
		{"attachments", m.Attachments != nil},
		{"suggestions", m.Suggestions != nil},
		{"postback", m.Postback != nil},
		{"template", m.Template != nil},
		{"location", m.Location != nil},
		{"kind", m.Kind != ""},
		{"cards", m.Cards != nil},
		{"list", m.List != nil},
		{"contacts", m.Contacts != nil},
		{"order", m.Order != nil},
	} {
		if part.has {
			in.add(in.at+".message."+part.name, canonical.ProblemValue, wantNothing)
		}
	}
	for name, value := range e.Metadata {
		if name != metadataExtraction && (name != metadataEncryption || !isEncryption(jsontext.Value(value))) {
			in.add(in.at+".metadata", canonical.ProblemValue, wantAllowed)
		}
	}
}

// The members of the metadata by which an event says that a device read it.
const (
	metadataEncryption = "encryption" // of an encrypted message
	metadataExtraction = "extraction" // of anything that a device extracted and forwards
)

// checkExtracted reports what an event has and is not to have that a device extracted: metadata beyond who decrypted it and by what consent, and
// without a consent content.
func (in *input) checkExtracted(e *canonical.Event) {
	value, has := e.Metadata[metadataExtraction]
	if !has {
		return
	}
	for name := range e.Metadata {
		if name != metadataExtraction && name != metadataEncryption {
			in.add(in.at+".metadata", canonical.ProblemValue, wantExtracted)
		}
	}
	said, ok := texts(jsontext.Value(value), "by", "consentReference")
	if !ok || said["by"] == "" {
		in.add(in.at+".metadata.extraction", canonical.ProblemValue, wantExtraction)
	}
	if said["consentReference"] != "" {
		return
	}
	if in.said != nil && in.said.ContentType != canonical.ContentEncrypted {
		in.add(in.at+".message.contentType", canonical.ProblemValue, wantConsent)
	}
	if e.Reaction != nil {
		in.add(in.at+".reaction", canonical.ProblemValue, wantConsent)
	}
	if e.Attribution != nil {
		in.add(in.at+".attribution", canonical.ProblemValue, wantConsent)
	}
}

// isEncryption reports whether v says no more than who decrypted a message and by what consent.
func isEncryption(v jsontext.Value) bool {
	_, ok := texts(v, "decryptedBy", "consentReference")
	return ok
}

// texts returns the members of an object, and false if it has one that is not listed or is no text of 1 to maxID characters.
func texts(v jsontext.Value, names ...string) (map[string]string, bool) {
	if v[0] != '{' {
		return nil, false
	}
	all := map[string]string{}
	for name, value := range v.Members() {
		if !slices.Contains(names, name) || value[0] != '"' {
			return nil, false
		}
		if n := utf8.RuneCountInString(value.Text()); n == 0 || n > maxID {
			return nil, false
		}
		all[name] = value.Text()
	}
	return all, true
}
