package canonical

// WithDefaults returns the event with every default that applies to it, never over a value that is there. The receiver keeps its
// message. Decode and Encode apply it; but a document without a timestamp is invalid.
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
	if p.Phone == "" && IsE164(p.ChannelAddress) {
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
