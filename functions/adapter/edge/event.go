package edge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// The limits of a request, beside those of the canonical event.
const (
	maxDepth    = 100
	maxBatch    = 100
	maxID       = 256
	maxSource   = 200
	maxPerson   = 200 // of an id, in characters: it may get the account's name in front
	maxKnown    = 60  // identifiers: the door adds to them
	maxMetadata = 60  // members: likewise
	maxThread   = 512 // of a conversation, in characters
)

// whole is the path of the request itself.
const whole = "$"

// input is one event as it is read.
type input struct {
	at       string // its path
	account  string
	received time.Time
	problems []canonical.Problem

	visitor *session.Claims // whose page tells it, nil for a program
	foreign bool            // the page tells of somebody else

	cloud      bool // it is the data of a CloudEvent, whose are id, source and time
	id, source string
	time       time.Time

	said                 *canonical.Message // as it came
	conversation         string
	ours, theirs         *canonical.Participant
	oursName, theirsName string
}

// idPath returns the path of the id.
func (in *input) idPath() string {
	if in.cloud {
		return strings.TrimSuffix(in.at, ".data") + ".id"
	}
	return in.at + ".eventId"
}

// theirsPath returns the path of a member of the customer's side.
func (in *input) theirsPath(member string) string { return in.at + "." + in.theirsName + member }

// add reports a problem, the first of its path.
func (in *input) add(path, code, reason string) {
	if !slices.ContainsFunc(in.problems, func(p canonical.Problem) bool { return p.Path == path }) {
		in.problems = append(in.problems, canonical.Problem{Path: path, Code: code, Reason: reason})
	}
}

// parse reads an event and completes it by the defaults.
func (in *input) parse(v jsontext.Value) adapter.Parsed {
	if v[0] != '{' {
		in.add(in.at, canonical.ProblemType, wantObject)
		return adapter.Parsed{}
	}
	draft := canonical.NewDraft(v)
	e := &draft.Event
	if !in.cloud {
		in.id = string(e.EventID)
	}
	if in.visitor != nil {
		in.admit(e)
	}
	in.said, in.conversation = e.Message, e.ConversationID
	in.sides(e)
	in.complete(e)
	for _, p := range draft.Problems() {
		p.Path = in.at + p.Path[len(whole):]
		in.problems = append(in.problems, p)
	}
	in.check(e)
	vendor := in.metadata(e)
	in.claim(e.Channel)
	ours := cmp.Or(in.ours.Phone, in.ours.ChannelAddress, in.ours.ID)
	return adapter.Parsed{
		Event:     *e,
		Kind:      "event",
		Key:       in.key(),
		Addresses: []string{ours, string(e.Channel) + ":" + ours},
		Person:    in.person(e.Channel),
		Side:      cmp.Or(in.conversation, ours),
		Vendor:    vendor,
		Outbox:    in.reply(e),
	}
}

// key returns what the event is known by within its account. A page's ids are its visitor's own.
func (in *input) key() string {
	if in.visitor != nil {
		return "visitor " + key(in.visitor.Visitor, in.id)
	}
	return key(in.source, in.id)
}

// key returns what an event is known by within its account. The length keeps two pairs apart that read alike one after the other.
func key(source, id string) string { return strconv.Itoa(len(source)) + ":" + source + id }

// sides tells the customer's side from ours.
func (in *input) sides(e *canonical.Event) {
	in.ours, in.oursName, in.theirs, in.theirsName = &e.Sender, "sender", &e.Recipient, "recipient"
	if e.Direction == canonical.Inbound {
		in.ours, in.oursName, in.theirs, in.theirsName = in.theirs, in.theirsName, in.ours, in.oursName
	}
}

// complete puts in what has a default, and stands in for what is the adapter's to say.
func (in *input) complete(e *canonical.Event) {
	e.EventID, e.ConversationID = "00000000-0000-4000-8000-000000000000", "x:x:conv:x"
	e.TenantID, e.LineID, e.ThreadID = "", "", ""
	if !in.ofAnother(e) {
		e.AccountID, e.Provider = "", ""
	}
	e.ReceivedAt, e.Trace, e.Flags.Replayed, e.Flags.Backfilled = time.Time{}, canonical.Trace{}, false, false
	if e.Message != nil {
		e.Message = e.Message.WithoutAccess() // it would have our credentials sent to wherever a program says
	}
	if e.SchemaVersion == 0 {
		e.SchemaVersion = canonical.SchemaVersion
	}
	in.times(e)
	in.knownBy(e)
	*e = e.WithDefaults()
	if e.Actor == nil && e.Direction == canonical.Outbound {
		e.Actor = &canonical.Actor{Kind: "automation", Via: in.account}
	}
	switch {
	case e.Type == canonical.TypeReceipt:
		if e.ProviderMessageID == "" && e.RelatesTo != nil {
			e.ProviderMessageID = e.RelatesTo.ProviderMessageID
		}
	case e.ProviderMessageID == "" && !in.cloud && in.visitor == nil:
		e.ProviderMessageID = in.id
	}
}

// ofAnother reports whether an event is of a message that another account sent, which it names: only of what we sent are there several who
// tell of it.
func (in *input) ofAnother(e *canonical.Event) bool {
	ours := e.Direction == canonical.Outbound && (e.Type == "" || e.Type == canonical.TypeMessage) || e.Type == canonical.TypeReceipt
	return ours && e.Provider != "" && e.AccountID != "" && (e.ProviderMessageID != "" || e.RelatesTo != nil && e.RelatesTo.ProviderMessageID != "")
}

// times puts in when it happened. What is told before it happens has happened by our clock: a later time would hide what follows.
func (in *input) times(e *canonical.Event) {
	for _, at := range []*time.Time{&e.Timestamp, &in.time} {
		if at.After(in.received) {
			*at, e.Flags.TimeEstimated = in.received, true
		}
	}
	switch {
	case !e.Timestamp.IsZero():
	case !in.time.IsZero():
		e.Timestamp = in.time
	default:
		e.Timestamp, e.Flags.TimeEstimated = in.received, true
	}
	if e.Receipt != nil && e.Receipt.At.After(in.received) {
		e.Receipt.At = in.received
	}
}

// knownBy writes what the customer is known by as every other channel does. An id that is a number is the phone where people have numbers,
// and one without a name in front is the account's own: two programs may call two people alike.
func (in *input) knownBy(e *canonical.Event) {
	p := in.theirs
	if utf8.RuneCountInString(p.ID) > maxPerson {
		in.add(in.theirsPath(".id"), canonical.ProblemLength, wantPerson)
	}
	switch e.Channel {
	case canonical.SMS, canonical.RCS, canonical.WhatsApp, canonical.IMessage:
		if number := strings.TrimPrefix(p.ID, string(e.Channel)+":"); p.Phone == "" && canonical.IsE164(number) {
			p.Phone = number
		}
	default:
	}
	if name, _, scoped := strings.Cut(p.ID, ":"); p.ID != "" && (!scoped || !canonical.IsChannel(name)) {
		p.ID = in.ownID(e.Channel, p.ID)
	}
}

// ownID returns an id of the account's own as it is in events. A long name of an account is a digest of it.
func (in *input) ownID(channel canonical.Channel, id string) string {
	const most = 20
	account := in.account
	if len(account) > most {
		sum := sha256.Sum256([]byte(account))
		account = hex.EncodeToString(sum[:8])
	}
	return string(channel) + ":" + account + ":" + id
}

// person returns the strongest identifier of the customer. On the web that is the visitor's: what a visitor types is no proof.
func (in *input) person(channel canonical.Channel) string {
	if channel == canonical.Web {
		return in.theirs.ID
	}
	return cmp.Or(in.theirs.Phone, in.theirs.ID, in.theirs.HashedEmail, in.theirs.ChannelAddress)
}

// metadata takes out of it what is kept by a tenant's policy, and puts the door's own in.
func (in *input) metadata(e *canonical.Event) []adapter.VendorField {
	raw := jsontext.Value(e.Metadata[canonical.RawVendor])
	delete(e.Metadata, canonical.RawVendor)
	delete(e.Metadata, canonical.MetadataSetAside)
	if e.Metadata == nil {
		e.Metadata = make(map[string]json.RawMessage, 2)
	}
	e.Metadata[Provider] = in.own()
	return vendor(raw)
}

// own returns what the door adds to the metadata: the caller's own names for the event.
func (in *input) own() json.RawMessage {
	out := append(make([]byte, 0, 128), '{')
	for _, m := range [...][2]string{
		{"id", in.id},
		{"source", in.source},
		{"conversation", in.conversation},
		{"origin", in.origin()},
	} {
		if m[1] == "" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = jsontext.AppendString(append(jsontext.AppendString(out, m[0]), ':'), m[1])
	}
	return append(out, '}')
}

// claim marks what a visitor of a site says of themselves: it is kept as a claim, and nobody is found by it. The visitor's id stays.
func (in *input) claim(channel canonical.Channel) {
	p := in.theirs
	if channel != canonical.Web {
		return
	}
	for i := range p.Identifiers {
		p.Identifiers[i].Claimed = p.Identifiers[i].Claimed || p.Identifiers[i].Kind != canonical.KindWeb
	}
	for _, said := range []canonical.Identifier{
		{Kind: canonical.KindPhone, Value: p.Phone}, {Kind: canonical.KindHashedEmail, Value: p.HashedEmail}, {Kind: address(p.ChannelAddress), Value: p.ChannelAddress},
	} {
		if said.Value != "" {
			said.Claimed = true
			p.Identifiers = append(p.Identifiers, said)
		}
	}
	p.Phone, p.HashedEmail, p.ChannelAddress = "", "", ""
}

// address returns the kind of an address that a visitor typed.
func address(s string) string {
	if strings.Contains(s, "@") {
		return canonical.KindEmail
	}
	return "address"
}

// vendor returns the fields of a provider's own document, each as a text.
func vendor(raw jsontext.Value) []adapter.VendorField {
	if raw == "" {
		return nil
	}
	if raw[0] != '{' {
		return []adapter.VendorField{{Name: "body", Value: plain(raw)}}
	}
	var fields []adapter.VendorField
	for name, value := range raw.Members() {
		fields = append(fields, adapter.VendorField{Name: name, Value: plain(value)})
	}
	return fields
}

func plain(v jsontext.Value) string {
	if v[0] == '"' {
		return v.Text()
	}
	return string(v)
}
