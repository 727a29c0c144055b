package canonical

// member is one member of an object of the schema: its name, what holds of it, and a pointer to the field that it stands for. The
// reader, the writer and SetAside go by these lists, which tests compare with the struct tags and with the schema.
type member struct {
	name  string
	rule  rule
	field any // *string, *bool, *int, *int64, *float64, *time.Time, a map, an object, or a pointer to a pointer to or slice of objects
}

// rule is what holds of a member. One without is left out where it is empty.
type rule uint8

const (
	always rule = 1 << iota // it is written also where it is empty
	filled                  // an empty string is refused: it says nothing where a form, an identifier or a value is due
)

// must says that a member has to be there: its zero value would say something.
func (r rule) must() bool { return r == always }

// mostMembers is how many an object has at most.
const mostMembers = 27

// members appends the members of a struct of the schema. It calls each type's own by name, so that lists stay on the stack: a message
// is read and written several times.
func members(object any, to []member) []member {
	switch o := object.(type) {
	case *Event:
		return o.members(to)
	case *Participant:
		return o.members(to)
	case *Actor:
		return o.members(to)
	case *Relation:
		return o.members(to)
	case *Message:
		return o.members(to)
	case *Attachment:
		return o.members(to)
	case *Suggestion:
		return o.members(to)
	case *Postback:
		return o.members(to)
	case *Template:
		return o.members(to)
	case *Location:
		return o.members(to)
	case *Reaction:
		return o.members(to)
	case *Receipt:
		return o.members(to)
	case *Consent:
		return o.members(to)
	case *Attribution:
		return o.members(to)
	case *Flags:
		return o.members(to)
	case *Trace:
		return o.members(to)
	default:
		return to
	}
}

func (e *Event) members(to []member) []member {
	return append(to, []member{
		{"eventId", always | filled, (*string)(&e.EventID)},
		{"schemaVersion", always | filled, &e.SchemaVersion},
		{"tenantId", filled, &e.TenantID},
		{"accountId", filled, &e.AccountID},
		{"lineId", filled, &e.LineID},
		{"threadId", filled, (*string)(&e.ThreadID)},
		{"type", filled, (*string)(&e.Type)},
		{"channel", always | filled, (*string)(&e.Channel)},
		{"direction", always | filled, (*string)(&e.Direction)},
		{"conversationId", always | filled, &e.ConversationID},
		{"provider", filled, &e.Provider},
		{"providerMessageId", filled, &e.ProviderMessageID},
		{"sender", always, &e.Sender},
		{"recipient", always, &e.Recipient},
		{"participants", 0, &e.Participants},
		{"actor", 0, &e.Actor},
		{"relatesTo", 0, &e.RelatesTo},
		{"message", 0, &e.Message},
		{"reaction", 0, &e.Reaction},
		{"receipt", 0, &e.Receipt},
		{"consent", 0, &e.Consent},
		{"attribution", 0, &e.Attribution},
		{"timestamp", 0, &e.Timestamp},
		{"receivedAt", 0, &e.ReceivedAt},
		{"flags", 0, &e.Flags},
		{"trace", 0, &e.Trace},
		{"metadata", 0, &e.Metadata},
	}...)
}

func (p *Participant) members(to []member) []member {
	return append(to, []member{
		{"id", filled, &p.ID},
		{"phone", filled, &p.Phone},
		{"hashedEmail", filled, &p.HashedEmail},
		{"displayName", 0, &p.DisplayName},
		{"channelAddress", filled, &p.ChannelAddress},
	}...)
}

func (a *Actor) members(to []member) []member {
	return append(to, []member{{"kind", always | filled, &a.Kind}, {"via", 0, &a.Via}}...)
}

func (r *Relation) members(to []member) []member {
	return append(to, []member{{"kind", always | filled, &r.Kind}, {"providerMessageId", filled, &r.ProviderMessageID}, {"sender", 0, &r.Sender}}...)
}

func (m *Message) members(to []member) []member {
	return append(to, []member{
		{"text", 0, &m.Text},
		{"summary", 0, &m.Summary},
		{"contentType", 0, &m.ContentType},
		{"attachments", 0, &m.Attachments},
		{"suggestions", 0, &m.Suggestions},
		{"postback", 0, &m.Postback},
		{"template", 0, &m.Template},
		{"location", 0, &m.Location},
	}...)
}

func (a *Attachment) members(to []member) []member {
	return append(to, []member{{"url", always | filled, &a.URL}, {"contentType", 0, &a.ContentType}, {"name", 0, &a.Name}, {"size", 0, &a.Size}}...)
}

func (s *Suggestion) members(to []member) []member {
	return append(to, []member{{"text", always, &s.Text}, {"postback", 0, &s.Postback}}...)
}

func (p *Postback) members(to []member) []member {
	return append(to, []member{{"text", 0, &p.Text}, {"payload", 0, &p.Payload}}...)
}

func (t *Template) members(to []member) []member {
	return append(to, []member{{"id", always | filled, &t.ID}, {"variables", 0, &t.Variables}}...)
}

func (l *Location) members(to []member) []member {
	return append(to, []member{
		{"latitude", always, &l.Latitude}, {"longitude", always, &l.Longitude}, {"label", 0, &l.Label}, {"address", 0, &l.Address},
	}...)
}

func (r *Reaction) members(to []member) []member {
	return append(to, []member{{"emoji", always | filled, &r.Emoji}, {"removed", 0, &r.Removed}}...)
}

func (r *Receipt) members(to []member) []member {
	return append(to, []member{{"state", always | filled, &r.State}, {"at", 0, &r.At}, {"error", 0, &r.Error}}...)
}

func (c *Consent) members(to []member) []member {
	return append(to, []member{{"keyword", filled, &c.Keyword}, {"state", filled, &c.State}, {"source", 0, &c.Source}}...)
}

func (a *Attribution) members(to []member) []member {
	return append(to, []member{
		{"sourceType", 0, &a.SourceType}, {"sourceId", 0, &a.SourceID}, {"sourceUrl", 0, &a.SourceURL},
		{"headline", 0, &a.Headline}, {"body", 0, &a.Body}, {"clickId", 0, &a.ClickID},
	}...)
}

func (f *Flags) members(to []member) []member {
	return append(to, []member{
		{"historical", 0, &f.Historical}, {"replayed", 0, &f.Replayed}, {"autoReply", 0, &f.AutoReply}, {"timeEstimated", 0, &f.TimeEstimated},
	}...)
}

func (t *Trace) members(to []member) []member {
	return append(to, []member{{"traceparent", filled, &t.Traceparent}, {"causationId", filled, &t.CausationID}}...)
}
