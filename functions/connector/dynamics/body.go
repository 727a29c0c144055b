package dynamics

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/mapping"
)

// Lengths that Dataverse keeps.
const (
	maxName        = 50
	maxSubject     = 200 // of activities
	maxLead        = 300 // of the topic of leads
	maxCompany     = 100
	maxDescription = 2000
	maxFirst       = 32000
	maxBody        = 65000
	maxColumn      = 255
	maxShort       = 64
	maxURL         = 4096
)

// unknown is the last name of who has neither name nor number nor address.
const unknown = "Unknown"

// nameOf returns a first and a last name. Who has none is called by number or address.
func nameOf(d delivery.Delivery) (first, last string) {
	if words := strings.Fields(connector.NameOf(d)); len(words) > 1 {
		return connector.Cut(words[0], maxName), connector.Cut(strings.Join(words[1:], " "), maxName)
	}
	return "", connector.Cut(cmp.Or(connector.CalledBy(d), unknown), maxName)
}

// named reports whether what a row says of a person is a name and not what we wrote for want of one.
func named(d delivery.Delivery, p person) bool {
	return !connector.Nameless(d, p.FirstName+" "+p.LastName, maxName) && (p.FirstName != "" || p.LastName != unknown)
}

// newPerson returns the members of a row that is made: all that people fill in, too, and that is never written again.
func newPerson(d delivery.Delivery, set string) connector.Object {
	first, last := nameOf(d)
	source, channel, said := connector.Ensured(d)
	label := connector.ChannelLabel(d.Event.Channel)
	members := connector.Object{
		"firstname", first, "lastname", last, "mobilephone", connector.Whole(d.Person.Phone, 20), "emailaddress1", connector.Whole(connector.EmailOf(d), 100),
		"description", connector.Cut(said, maxDescription), "msg_source", connector.Cut(source, 80), "msg_channel", connector.Cut(channel, maxShort),
		"msg_firstmessage", connector.Cut(said, maxFirst), "msg_address", connector.Whole(connector.AddressOf(d), maxColumn),
	}
	if set == leads {
		members = append(members, "subject", connector.Cut(label+": "+connector.CalledBy(d), maxLead), "companyname", connector.Cut("(from "+label+")", maxCompany))
	}
	if user := connector.OwnerOf(d); user != "" {
		members = append(members, bind("ownerid", user)...)
	}
	return append(members, attribution(d.Event)...)
}

// bind returns the member that gives a row to a user of the environment, whose id it is.
func bind(column, user string) connector.Object {
	return connector.Object{column + "@odata.bind", "/systemusers(" + user + ")"}
}

// attribution returns what brought a person here, as far as it fits.
func attribution(e canonical.Event) connector.Object {
	a := e.Attribution
	if a == nil {
		return nil
	}
	return connector.Object{
		"msg_adsource", connector.Whole(a.SourceType, maxShort), "msg_adid", connector.Whole(a.SourceID, maxColumn), "msg_adurl", connector.Whole(a.SourceURL, maxURL),
		"msg_adheadline", connector.Cut(a.Headline, maxColumn), "msg_adclickid", connector.Whole(a.ClickID, maxColumn),
	}
}

// regarding returns the member that puts an activity on a person's timeline. The lookup is called by what it is of, see
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api.
func regarding(who, set, activity string) connector.Object {
	return connector.Object{"regardingobjectid_" + objectOf(set) + "_" + activity + "@odata.bind", "/" + who}
}

// message is the table of messages, as lookups call it.
const message = "msg_message"

// shown is what shows a message, or a part of a session.
type shown struct {
	path   string
	made   bool             // it is not there yet, as far as is known
	first  connector.Object // what is written when it is made, all of it
	always connector.Object // what is written again
}

// requests returns what writes it. Where an earlier try may have made it, a user may have changed it since: it is made if it is not there, and
// then written as if it had been.
func (s shown) requests(again bool) []part {
	switch {
	case s.made && again:
		return []part{fresh(s.path, s.first), held(s.path, "*", s.always)}
	case s.made:
		return []part{patch(s.path, s.first)}
	default:
		return []part{held(s.path, "*", s.always)}
	}
}

// newMessage returns a message by itself. The status of what was sent is its receipts' alone: they may have come first, and nothing is to set
// it back. Only whose it is is written again.
func newMessage(e canonical.Event, who, set string) shown {
	status := ""
	if e.Direction == canonical.Inbound {
		status = "received"
	}
	of := regarding(who, set, message)
	return shown{byKey(messages, eventKey, connector.MessageKey(e)), true, append(append(slices.Clone(of),
		"subject", connector.Cut(connector.MessageSubject(e), maxSubject), "msg_body", connector.PlainText(e, maxBody), "msg_status", status,
		"msg_direction", string(e.Direction), "msg_channel", string(e.Channel), "msg_occurredat", connector.Instant(e.Timestamp),
		"msg_provider", connector.Cut(e.Provider, maxShort), "msg_providerid", connector.Cut(e.ProviderMessageID, maxColumn)), attribution(e)...), of}
}

// maxPart is how long the lines of one part of a session are: nine tenths of what is kept.
const maxPart = maxBody * 9 / 10

// sections returns the parts of a session. Of one that is there only the text is written, and whose it is if that is another person than before:
// what a user changed stays. Anew are those that a user deleted.
func sections(a *connector.Activity, who, set string, anew map[string]bool, mapped func(made bool) []mapping.Field) (all []shown) {
	for _, p := range a.Split(maxPart, func(l connector.Line) int { return connector.Length(connector.PlainLine(l, a.Start)) }) {
		path, of := byKey(messages, eventKey, p.Key), regarding(who, set, message)
		text := connector.Object{"msg_body", connector.Transcript(a, p, maxBody)}
		one := shown{path: path, made: p.New || anew[path], always: text}
		if a.Written[resultWho] != who {
			one.always = slices.Concat(text, of)
		}
		one.first = slices.Concat(text, of, connector.Object{
			"subject", connector.Cut(connector.SessionSubject(a, p), maxSubject), "msg_channel", string(a.Channel), "msg_occurredat", connector.Instant(a.Start),
		}).With(mapped(true))
		one.always = one.always.With(mapped(false))
		all = append(all, one)
	}
	return all
}

// standing returns how a conversation stands. All of it follows from the state: what is not known is cleared.
func standing(s conversation.State) connector.Object {
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return connector.Instant(t)
	}
	text := func(value string, limit int) any {
		if value == "" {
			return nil
		}
		return connector.Cut(value, limit)
	}
	var answered any
	if !s.FirstAnswer.IsZero() && !s.FirstInbound.IsZero() {
		answered = int(s.FirstAnswer.Sub(s.FirstInbound).Seconds())
	}
	return connector.Object{
		"msg_channel", string(s.Channel), "msg_line", text(s.Line, maxColumn), "msg_status", text(string(s.Status), 32), "msg_waitingsince", at(s.Since),
		"msg_firstinboundat", at(s.FirstInbound), "msg_lastinboundat", at(s.LastInbound),
		"msg_firstoutboundat", at(s.FirstOutbound), "msg_lastoutboundat", at(s.LastOutbound),
		"msg_firstresponseseconds", answered, "msg_messages", s.Messages, "msg_lastreceipt", text(s.Receipt, 32), "msg_lastreceiptat", at(s.ReceiptAt),
		"msg_consent", text(s.Consent, 32), "msg_ownername", text(s.Owner, maxColumn),
	}
}

// newConversation returns what writes how a conversation with somebody stands. Of the lookups to the sets of persons one is not empty.
func newConversation(s *connector.Standing, who, set string, sets []string, mapped []mapping.Field) part {
	label := connector.ChannelLabel(s.State.Channel) + " " + s.State.Line
	members := append(standing(s.State), "msg_name", connector.Cut(label, 100))
	for _, other := range sets {
		var to any
		if other == set {
			to = "/" + who
		}
		members = append(members, "msg_"+objectOf(other)+"@odata.bind", to)
	}
	return patch(byKey(conversations, conversationKey, s.Key), members.With(mapped))
}
