package canonical

// member is one member of an object of the schema: its name, what holds of it, what it looks like, and a pointer to the field that
// it stands for. Reading, writing and validation go by these lists, which tests compare with the struct tags and with the schema.
type member struct {
	name  string
	rule  rule
	form  form
	field any // *string, *bool, *int, *int64, *float64, *time.Time, a map, an object, or a pointer to a pointer to or slice of objects
}

// rule is what holds of a member. One without is left out where it is empty.
type rule uint8

const (
	always rule = 1 << iota // it is written also where it is empty
	filled                  // an empty string is refused: it says nothing where a form, an identifier or a value is due
)

// mustAppear reports whether a reader refuses an object without the member, because its zero value would say something. One that is
// also filled is refused as empty instead.
func (r rule) mustAppear() bool { return r == always }

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
		{"eventId", always | filled, formUUID, (*string)(&e.EventID)},
		{"schemaVersion", always | filled, 0, &e.SchemaVersion},
		{"tenantId", filled, formName, &e.TenantID},
		{"accountId", filled, formName, &e.AccountID},
		{"lineId", filled, formName, &e.LineID},
		{"threadId", filled, formName, (*string)(&e.ThreadID)},
		{"type", filled, oneType, (*string)(&e.Type)},
		{"channel", always | filled, formWord, (*string)(&e.Channel)},
		{"direction", always | filled, oneDirection, (*string)(&e.Direction)},
		{"conversationId", always | filled, formConversation, &e.ConversationID},
		{"provider", filled, formWord, &e.Provider},
		{"providerMessageId", filled, maxProviderID, &e.ProviderMessageID},
		{"sender", always, 0, &e.Sender},
		{"recipient", always, 0, &e.Recipient},
		{"participants", 0, maxParticipants, &e.Participants},
		{"actor", 0, 0, &e.Actor},
		{"relatesTo", 0, 0, &e.RelatesTo},
		{"message", 0, 0, &e.Message},
		{"reaction", 0, 0, &e.Reaction},
		{"receipt", 0, 0, &e.Receipt},
		{"consent", 0, 0, &e.Consent},
		{"attribution", 0, 0, &e.Attribution},
		{"timestamp", 0, 0, &e.Timestamp},
		{"receivedAt", 0, 0, &e.ReceivedAt},
		{"flags", 0, 0, &e.Flags},
		{"trace", 0, 0, &e.Trace},
		{"metadata", 0, 0, &e.Metadata},
	}...)
}

func (p *Participant) members(to []member) []member {
	return append(to, []member{
		{"id", filled, maxIdentifier, &p.ID},
		{"phone", filled, formE164, &p.Phone},
		{"hashedEmail", filled, formSHA256, &p.HashedEmail},
		{"displayName", 0, maxLabel, &p.DisplayName},
		{"channelAddress", filled, maxIdentifier, &p.ChannelAddress},
	}...)
}

func (a *Actor) members(to []member) []member {
	return append(to, []member{{"kind", always | filled, oneActor, &a.Kind}, {"via", 0, maxIdentifier, &a.Via}}...)
}

func (r *Relation) members(to []member) []member {
	return append(to, []member{{"kind", always | filled, oneRelation, &r.Kind}, {"providerMessageId", filled, maxProviderID, &r.ProviderMessageID}, {"sender", 0, maxIdentifier, &r.Sender}}...)
}

func (m *Message) members(to []member) []member {
	return append(to, []member{
		{"text", 0, maxText, &m.Text},
		{"summary", 0, maxSummary, &m.Summary},
		{"contentType", 0, maxMIME, &m.ContentType},
		{"attachments", 0, maxAttachments, &m.Attachments},
		{"suggestions", 0, maxSuggestions, &m.Suggestions},
		{"postback", 0, 0, &m.Postback},
		{"template", 0, 0, &m.Template},
		{"location", 0, 0, &m.Location},
	}...)
}

func (a *Attachment) members(to []member) []member {
	return append(to, []member{{"url", always | filled, formURL, &a.URL}, {"contentType", 0, maxMIME, &a.ContentType}, {"name", 0, maxLabel, &a.Name}, {"size", 0, 0, &a.Size}}...)
}

func (s *Suggestion) members(to []member) []member {
	return append(to, []member{{"text", always, maxLabel, &s.Text}, {"postback", 0, maxPayload, &s.Postback}}...)
}

func (p *Postback) members(to []member) []member {
	return append(to, []member{{"text", 0, maxLabel, &p.Text}, {"payload", 0, maxPayload, &p.Payload}}...)
}

func (t *Template) members(to []member) []member {
	return append(to, []member{{"id", always | filled, maxIdentifier, &t.ID}, {"variables", 0, 0, &t.Variables}}...)
}

func (l *Location) members(to []member) []member {
	return append(to, []member{
		{"latitude", always, maxLatitude, &l.Latitude}, {"longitude", always, maxLongitude, &l.Longitude}, {"label", 0, maxLabel, &l.Label}, {"address", 0, maxLabel, &l.Address},
	}...)
}

func (r *Reaction) members(to []member) []member {
	return append(to, []member{{"emoji", always | filled, maxEmoji, &r.Emoji}, {"removed", 0, 0, &r.Removed}}...)
}

func (r *Receipt) members(to []member) []member {
	return append(to, []member{{"state", always | filled, oneState, &r.State}, {"at", 0, 0, &r.At}, {"error", 0, maxIdentifier, &r.Error}}...)
}

func (c *Consent) members(to []member) []member {
	return append(to, []member{{"keyword", filled, oneKeyword, &c.Keyword}, {"state", filled, oneConsent, &c.State}, {"source", 0, maxSource, &c.Source}}...)
}

func (a *Attribution) members(to []member) []member {
	return append(to, []member{
		{"sourceType", 0, maxPayload, &a.SourceType},
		{"sourceId", 0, maxPayload, &a.SourceID},
		{"sourceUrl", 0, maxPayload, &a.SourceURL},
		{"headline", 0, maxPayload, &a.Headline},
		{"body", 0, maxPayload, &a.Body},
		{"clickId", 0, maxPayload, &a.ClickID},
	}...)
}

func (f *Flags) members(to []member) []member {
	return append(to, []member{
		{"historical", 0, 0, &f.Historical}, {"replayed", 0, 0, &f.Replayed}, {"autoReply", 0, 0, &f.AutoReply}, {"timeEstimated", 0, 0, &f.TimeEstimated},
	}...)
}

func (t *Trace) members(to []member) []member {
	return append(to, []member{{"traceparent", filled, formTraceparent, &t.Traceparent}, {"causationId", filled, formCause, &t.CausationID}}...)
}
