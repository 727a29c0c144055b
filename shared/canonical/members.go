package canonical

// member is one member of an object of the schema: its name, what holds of it, what it looks like, and a pointer to the field that
// it stands for. Reading, writing and validation go by these lists, which tests compare with the struct tags and with the schema.
type member struct {
	name  string
	rule  rule
	form  form
	field any // *string, *[]string, *bool, *int, *int64, *float64, *time.Time, a map, an object, or a pointer to a pointer to or slice of objects
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
const mostMembers = 28

// members appends the members of a struct of the schema. It is a switch over types and no method of theirs, so that lists stay on the
// stack: a message is read and written several times.
func members(object any, to []member) []member { //nolint:funlen // a list
	switch o := object.(type) {
	case *Event:
		return append(to, []member{
			{"eventId", always | filled, formUUID, (*string)(&o.EventID)},
			{"schemaVersion", always | filled, 0, &o.SchemaVersion},
			{"tenantId", filled, formName, &o.TenantID},
			{"accountId", filled, formName, &o.AccountID},
			{"lineId", filled, formName, &o.LineID},
			{"threadId", filled, formName, (*string)(&o.ThreadID)},
			{"type", filled, oneType, (*string)(&o.Type)},
			{"channel", always | filled, formWord, (*string)(&o.Channel)},
			{"direction", always | filled, oneDirection, (*string)(&o.Direction)},
			{"conversationId", always | filled, formConversation, &o.ConversationID},
			{"provider", filled, formWord, &o.Provider},
			{"providerMessageId", filled, maxProviderID, &o.ProviderMessageID},
			{"sender", always, 0, &o.Sender},
			{"recipient", always, 0, &o.Recipient},
			{"participants", 0, maxParticipants, &o.Participants},
			{"actor", 0, 0, &o.Actor},
			{"relatesTo", 0, 0, &o.RelatesTo},
			{"message", 0, 0, &o.Message},
			{"reaction", 0, 0, &o.Reaction},
			{"receipt", 0, 0, &o.Receipt},
			{"consent", 0, 0, &o.Consent},
			{"identity", 0, 0, &o.Identity},
			{"attribution", 0, 0, &o.Attribution},
			{"timestamp", 0, 0, &o.Timestamp},
			{"receivedAt", 0, 0, &o.ReceivedAt},
			{"flags", 0, 0, &o.Flags},
			{"trace", 0, 0, &o.Trace},
			{"metadata", 0, 0, &o.Metadata},
		}...)
	case *Participant:
		return append(to, []member{
			{"id", filled, maxIdentifier, &o.ID},
			{"phone", filled, formE164, &o.Phone},
			{"hashedEmail", filled, formSHA256, &o.HashedEmail},
			{"displayName", 0, maxLabel, &o.DisplayName},
			{"channelAddress", filled, maxIdentifier, &o.ChannelAddress},
			{"identifiers", 0, maxIdentifiers, &o.Identifiers},
		}...)
	case *Identifier:
		return append(to, []member{
			{"kind", always | filled, formWord, &o.Kind}, {"scope", 0, maxIdentifier, &o.Scope}, {"value", always | filled, maxIdentifier, &o.Value}, {"claimed", 0, 0, &o.Claimed},
		}...)
	case *Identity:
		return append(to, []member{
			{"reason", always | filled, oneReason, &o.Reason}, {"previous", 0, maxIdentifiers, &o.Previous}, {"current", 0, maxIdentifiers, &o.Current},
		}...)
	case *Actor:
		return append(to, []member{{"kind", always | filled, oneActor, &o.Kind}, {"via", 0, maxIdentifier, &o.Via}}...)
	case *Relation:
		return append(to, []member{{"kind", always | filled, oneRelation, &o.Kind}, {"providerMessageId", filled, maxProviderID, &o.ProviderMessageID}, {"sender", 0, maxIdentifier, &o.Sender}}...)
	case *Message:
		return append(to, []member{
			{"text", 0, maxText, &o.Text},
			{"summary", 0, maxSummary, &o.Summary},
			{"contentType", 0, maxMIME, &o.ContentType},
			{"kind", 0, maxIdentifier, &o.Kind},
			{"attachments", 0, maxAttachments, &o.Attachments},
			{"suggestions", 0, maxSuggestions, &o.Suggestions},
			{"postback", 0, 0, &o.Postback},
			{"template", 0, 0, &o.Template},
			{"location", 0, 0, &o.Location},
			{"cards", 0, maxCards, &o.Cards},
			{"list", 0, 0, &o.List},
			{"contacts", 0, maxContacts, &o.Contacts},
			{"order", 0, 0, &o.Order},
		}...)
	case *Attachment:
		return append(to, []member{
			{"url", always | filled, formURL, &o.URL},
			{"contentType", 0, maxMIME, &o.ContentType},
			{"name", 0, maxLabel, &o.Name},
			{"size", 0, 0, &o.Size},
			{"sha256", filled, formSHA256, &o.SHA256},
			{"access", 0, 0, &o.Access},
		}...)
	case *Access:
		return append(to, []member{
			{"scheme", filled, formWord, &o.Scheme},
			{"header", filled, formName, &o.Header},
			{"member", 0, maxIdentifier, &o.Member},
			{"cipher", filled, maxSource, &o.Cipher},
			{"key", filled, formHex, &o.Key},
			{"hosts", 0, maxAddresses, &o.Hosts},
			{"headers", 0, 0, &o.Headers},
		}...)
	case *Suggestion:
		return append(to, []member{{"text", always, maxLabel, &o.Text}, {"postback", 0, maxPayload, &o.Postback}, {"kind", filled, formWord, &o.Kind}, {"url", filled, formLink, &o.URL}}...)
	case *Postback:
		return append(to, []member{
			{"text", 0, maxLabel, &o.Text}, {"payload", 0, maxPayload, &o.Payload}, {"kind", filled, formWord, &o.Kind}, {"description", 0, maxPayload, &o.Description}, {"fields", 0, 0, &o.Fields},
		}...)
	case *Card:
		return append(to, []member{{"title", 0, maxLabel, &o.Title}, {"text", 0, maxPayload, &o.Text}, {"media", 0, 0, &o.Media}, {"suggestions", 0, maxSuggestions, &o.Suggestions}}...)
	case *List:
		return append(to, []member{{"title", 0, maxPayload, &o.Title}, {"button", 0, maxLabel, &o.Button}, {"items", 0, maxItems, &o.Items}}...)
	case *Item:
		return append(to, []member{{"id", 0, maxPayload, &o.ID}, {"title", 0, maxLabel, &o.Title}, {"description", 0, maxPayload, &o.Description}, {"section", 0, maxLabel, &o.Section}}...)
	case *Contact:
		return append(to, []member{{"name", 0, maxLabel, &o.Name}, {"organization", 0, maxLabel, &o.Organization}, {"phones", 0, maxAddresses, &o.Phones}, {"emails", 0, maxAddresses, &o.Emails}}...)
	case *Order:
		return append(to, []member{
			{"id", 0, maxIdentifier, &o.ID},
			{"catalog", 0, maxIdentifier, &o.Catalog},
			{"text", 0, maxPayload, &o.Text},
			{"currency", 0, maxSource, &o.Currency},
			{"total", 0, maxSource, &o.Total},
			{"items", 0, maxItems, &o.Items},
		}...)
	case *OrderItem:
		return append(to, []member{{"id", 0, maxIdentifier, &o.ID}, {"name", 0, maxLabel, &o.Name}, {"price", 0, maxSource, &o.Price}, {"quantity", 0, 0, &o.Quantity}}...)
	case *Template:
		return append(to, []member{{"id", always | filled, maxIdentifier, &o.ID}, {"variables", 0, 0, &o.Variables}}...)
	case *Location:
		return append(to, []member{
			{"latitude", always, maxLatitude, &o.Latitude}, {"longitude", always, maxLongitude, &o.Longitude}, {"label", 0, maxLabel, &o.Label}, {"address", 0, maxLabel, &o.Address},
		}...)
	case *Reaction:
		return append(to, []member{{"emoji", always | filled, maxEmoji, &o.Emoji}, {"removed", 0, 0, &o.Removed}}...)
	case *Receipt:
		return append(to, []member{{"state", always | filled, oneState, &o.State}, {"at", 0, 0, &o.At}, {"error", 0, maxIdentifier, &o.Error}, {"reason", filled, formWord, &o.Reason}}...)
	case *Consent:
		return append(to, []member{{"keyword", filled, oneKeyword, &o.Keyword}, {"state", filled, oneConsent, &o.State}, {"source", 0, maxSource, &o.Source}, {"purpose", filled, onePurpose, &o.Purpose}}...)
	case *Attribution:
		return append(to, []member{
			{"sourceType", 0, maxPayload, &o.SourceType},
			{"sourceId", 0, maxPayload, &o.SourceID},
			{"sourceUrl", 0, maxPayload, &o.SourceURL},
			{"headline", 0, maxPayload, &o.Headline},
			{"body", 0, maxPayload, &o.Body},
			{"clickId", 0, maxPayload, &o.ClickID},
		}...)
	case *Flags:
		return append(to, []member{
			{"historical", 0, 0, &o.Historical},
			{"replayed", 0, 0, &o.Replayed},
			{"autoReply", 0, 0, &o.AutoReply},
			{"timeEstimated", 0, 0, &o.TimeEstimated},
			{"backfilled", 0, 0, &o.Backfilled},
		}...)
	case *Trace:
		return append(to, []member{{"traceparent", filled, formTraceparent, &o.Traceparent}, {"causationId", filled, formCause, &o.CausationID}}...)
	default:
		return to
	}
}
