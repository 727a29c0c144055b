package edge

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

var (
	_ adapter.CrossOrigin = (*Channel)(nil)
	_ adapter.Poller      = (*content)(nil)
)

// Codes of what a page is refused with: 403, and no more is said.
const (
	CodeOrigin  = "session_other_origin"  // the page is not of the origin that the session is for
	CodeForeign = "session_other_visitor" // the page tells of a visitor or a line that the session is not for
)

// headerSession is where a page has its session: "Bearer <token>".
const headerSession = "Authorization"

// Allow implements adapter.CrossOrigin. Every page may ask, for a session says what it may: an answer holds nothing without one.
func (*Channel) Allow(r webhook.Request) map[string]string {
	origin := r.Header.Get("Origin")
	if !session.IsOrigin(origin) {
		return nil
	}
	headers := map[string]string{"access-control-allow-origin": origin, "vary": "Origin", "cache-control": "no-store"}
	if r.Method == http.MethodOptions {
		headers["access-control-allow-methods"] = "GET, POST"
		headers["access-control-allow-headers"] = "authorization, content-type, webhook-id"
		headers["access-control-max-age"] = "7200"
	}
	return headers
}

// fromPage reports whether a request comes with a session in place of a signature. A program may have a header of that name for a proxy before
// us, which is not kept with its dead letter: what is parsed again and reads as a session is a page's. One that a page has and that does not read is
// refused for want of a signature.
func (c *content) fromPage() bool {
	if c.Kind == Replies {
		return true
	}
	if c.Header.Get(standardwebhooks.HeaderSignature) != "" {
		return false
	}
	_, err := session.Read(c.token())
	return err == nil
}

// token returns the session's token.
func (c *content) token() string {
	scheme, token, _ := strings.Cut(c.Header.Get(headerSession), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// verifySession returns nil if the page has a session of the account that holds now, and is of its origin.
func (c *content) verifySession(tokens secret.Versions) error {
	claims, err := session.Verify(c.token(), c.AccountID, c.Received, tokens)
	switch {
	case err != nil:
		return err
	case c.Header.Get("Origin") != claims.Origin:
		return fault.New(fault.Rejected, CodeOrigin, nil)
	}
	c.visitor = &claims
	c.unnamed = c.Kind == Events && c.Header.Get(standardwebhooks.HeaderID) == ""
	return nil
}

// readSession reads the session of a page's request that was verified, perhaps long ago.
func (c *content) readSession() error {
	claims, err := session.Read(c.token())
	if err != nil {
		return err
	}
	c.visitor = &claims
	return nil
}

// admit makes a page's event one of its visitor's. What the page may say of it is listed here; whose it is, where it goes and all else
// is not the page's to say.
func (in *input) admit(e *canonical.Event) {
	said, v := *e, in.visitor
	in.foreign = said.Sender.ID != "" && said.Sender.ID != v.Visitor ||
		said.Recipient.ChannelAddress != "" && bare(said.Recipient.ChannelAddress) != bare(v.Line) || said.Recipient.Phone != "" || said.Recipient.ID != ""
	if said.Direction != "" && said.Direction != canonical.Inbound {
		in.add(in.at+".direction", canonical.ProblemValue, wantInbound)
	}
	if said.Channel != "" && said.Channel != canonical.Web {
		in.add(in.at+".channel", canonical.ProblemValue, wantWeb)
	}
	*e = canonical.Event{
		EventID: said.EventID, SchemaVersion: said.SchemaVersion, Type: said.Type, Timestamp: said.Timestamp, Attribution: said.Attribution,
		Channel: canonical.Web, Direction: canonical.Inbound,
		Sender:    canonical.Participant{ID: v.Visitor, DisplayName: v.Name},
		Recipient: canonical.Participant{ChannelAddress: v.Line},
	}
	switch said.Type {
	case "", canonical.TypeMessage:
		if m := said.Message; m != nil {
			e.Message = &canonical.Message{Text: m.Text, Postback: m.Postback}
		}
	case canonical.TypeConsent:
		if c := said.Consent; c != nil {
			e.Consent = &canonical.Consent{State: c.State, Purpose: c.Purpose, Source: "form"}
		}
	default:
		in.add(in.at+".type", canonical.ProblemValue, wantPage)
		e.Type, e.Message = canonical.TypeMessage, &canonical.Message{} // what it lacks of that type is no matter
	}
}

// bare returns a line's address without the channel that may be in front.
func bare(line string) string { return strings.TrimPrefix(line, string(canonical.Web)+":") }

// origin returns the origin of the page that tells an event.
func (in *input) origin() string {
	if in.visitor == nil {
		return ""
	}
	return in.visitor.Origin
}

// reply is what a visitor's page is shown of a message that was sent to them.
type reply struct {
	Text        string                 `json:"text,omitempty"`
	Name        string                 `json:"name,omitempty"` // whose it is
	Suggestions []canonical.Suggestion `json:"suggestions,omitempty"`
	Attachments []file                 `json:"attachments,omitempty"`
}

// file is an attachment that a page may link to.
type file struct {
	URL         string `json:"url"`
	ContentType string `json:"contentType,omitempty"`
	Name        string `json:"name,omitempty"`
}

// reply returns what the visitor's page is shown of the event, nil for nothing.
func (in *input) reply(e *canonical.Event) json.RawMessage {
	m := in.said
	if in.visitor != nil || e.Channel != canonical.Web || e.Direction != canonical.Outbound || e.Type != canonical.TypeMessage ||
		m == nil || m.ContentType == canonical.ContentEncrypted || len(in.problems) > 0 {
		return nil
	}
	r := reply{Text: m.Text, Name: e.Sender.DisplayName, Suggestions: m.Suggestions}
	for _, a := range m.Attachments {
		if strings.HasPrefix(a.URL, "https://") {
			r.Attachments = append(r.Attachments, file{a.URL, a.ContentType, a.Name})
		}
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return encoded
}

// Poll implements adapter.Poller.
func (c *content) Poll() (whose adapter.Parsed, after int64) {
	if query, err := url.ParseQuery(c.RawQuery); err == nil {
		c.news, _ = strconv.ParseInt(query.Get("after"), 10, 64)
	}
	in := input{account: c.AccountID, visitor: c.visitor}
	var e canonical.Event
	in.admit(&e)
	in.sides(&e)
	in.knownBy(&e)
	line := c.visitor.Line
	return adapter.Parsed{Event: e, Person: in.person(e.Channel), Addresses: []string{line, string(e.Channel) + ":" + line}}, c.news
}

// Found implements adapter.Poller.
func (c *content) Found(news []adapter.Kept) webhook.Response {
	type shown struct {
		ID canonical.EventID `json:"id"`
		At time.Time         `json:"at"`
		reply
	}
	answer := struct {
		Replies []shown `json:"replies"`
		After   int64   `json:"after"` // what to ask with next
	}{[]shown{}, c.news}
	for _, k := range news {
		s := shown{ID: k.Event, At: k.At}
		if json.Unmarshal(k.Body, &s.reply) == nil {
			answer.Replies = append(answer.Replies, s)
		}
		answer.After = max(answer.After, k.Number)
	}
	given, _ := response(http.StatusOK, answer)
	return given
}
