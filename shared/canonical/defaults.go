package canonical

// Default is what stands in for a field that a channel does not give.
type Default struct {
	Field    string    // its JSON path
	Channels []Channel // where it applies; nil is everywhere
	Value    string    // the literal, or in words; empty: the field stays absent, and consumers do without
	Why      string
}

// Defaults returns the table. Decode and Encode apply it, never over a value that is there; only the row of timestamp is the
// writer's alone, for a document without a timestamp is invalid.
func Defaults() []Default {
	numbered := []Channel{SMS, RCS, WhatsApp, IMessage}
	return []Default{
		{"$.type", nil, string(TypeMessage), "the first documents of version 2 had no type and were messages"},
		{"$.timestamp", nil, "receivedAt, and flags.timeEstimated", "the forms of providers, Apple's messages and SMPP hold no time"},
		{"$.sender.phone", numbered, "channelAddress, if that is E.164", "the address of a number is the number"},
		{"$.recipient.phone", numbered, "channelAddress, if that is E.164", "the address of a number is the number"},
		{"$.sender.phone", []Channel{Web}, "", "a visitor is known by a browser's identifier"},
		{"$.sender.displayName", []Channel{SMS, RCS, IMessage, Web}, "", "only WhatsApp sends a profile name"},
		{"$.sender.hashedEmail", nil, "", "only an iMessage address can be an e-mail address"},
		{"$.actor", nil, "inbound: customer, or automation if flags.autoReply", "no channel says who acts; other directions have no default"},
		{"$.message.contentType", nil, "text/plain, if there is text", "no channel sends formatted text"},
		{"$.message.summary", nil, "Summarize(message)", "a message of attachments alone needs a subject in a CRM"},
		{"$.receivedAt", nil, "", "only a writer that received a webhook knows it"},
	}
}

// WithDefaults returns the event with every default that applies to it. The receiver keeps its message.
func (e Event) WithDefaults() Event {
	if e.Type == "" {
		e.Type = TypeMessage
	}
	if e.Timestamp.IsZero() && !e.ReceivedAt.IsZero() {
		e.Timestamp = e.ReceivedAt
		e.Flags.TimeEstimated = true
	}
	switch e.Channel {
	case SMS, RCS, WhatsApp, IMessage:
		e.Sender = withPhone(e.Sender)
		e.Recipient = withPhone(e.Recipient)
	default:
	}
	if e.Actor == nil && e.Direction == Inbound {
		e.Actor = &Actor{Kind: "customer"}
		if e.Flags.AutoReply {
			e.Actor.Kind = "automation"
		}
	}
	e.Message = withSummary(e.Message)
	return e
}

func withPhone(p Participant) Participant {
	if p.Phone == "" && isE164(p.ChannelAddress) {
		p.Phone = p.ChannelAddress
	}
	return p
}

func withSummary(m *Message) *Message {
	if m == nil || m.Summary != "" && (m.ContentType != "" || m.Text == "") {
		return m
	}
	filled := *m
	if filled.ContentType == "" && filled.Text != "" {
		filled.ContentType = "text/plain"
	}
	if filled.Summary == "" {
		filled.Summary = Summarize(filled)
	}
	return &filled
}
