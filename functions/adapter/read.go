package adapter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/identity"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// Batch is what a webhook amounts to: the messages for the events queue, in order, and why part of it cannot be used. That is told, or
// makes a dead letter.
type Batch struct {
	Messages []queue.Message
	Lanes    map[canonical.Type][]queue.Message // those of types with a lane of their own
	Later    []queue.Message                    // those that another webhook tells better
	Verdicts []Verdict                          // of an Answerer's
	outbox   []posted
	Unused   error
	unasked  int // events of no line, which nobody asked for
}

func (w *Batch) count() int {
	n := len(w.Messages) + len(w.Later)
	for _, messages := range w.Lanes {
		n += len(messages)
	}
	return n
}

// first returns the id of the first event, "" where there is none.
func (w *Batch) first() string {
	if len(w.Messages) > 0 {
		return w.Messages[0].ID
	}
	for _, messages := range w.Lanes {
		return messages[0].ID
	}
	if len(w.Later) > 0 {
		return w.Later[0].ID
	}
	return ""
}

// add puts a message where its type goes. In a lane without order its group is its tenant, for fairness.
func (w *Batch) add(m queue.Message, e *canonical.Event, lanes map[canonical.Type][]Sink) {
	if lanes[e.Type] == nil {
		w.Messages = append(w.Messages, m)
		return
	}
	if w.Lanes == nil {
		w.Lanes = map[canonical.Type][]queue.Message{}
	}
	m.Group = e.TenantID
	w.Lanes[e.Type] = append(w.Lanes[e.Type], m)
}

// Parse parses an authentic webhook and makes a message of each event. Events of one webhook may belong to several tenants.
func (a *Adapter) Parse(ctx context.Context, w Webhook, content Content) (Batch, error) {
	parsed, err := content.Parse()
	if err != nil {
		return Batch{}, err
	}
	work := Batch{Messages: make([]queue.Message, 0, len(parsed))}
	_, answers := content.(Answerer)
	for i := range parsed {
		told := optOut(&parsed[i], w.Received)
		verdict, err := a.add(ctx, w, &parsed[i], &work)
		if err == nil && told != nil {
			_, err = a.add(ctx, w, told, &work)
		}
		if err != nil {
			return Batch{}, err
		}
		if answers {
			work.Verdicts = append(work.Verdicts, verdict)
		}
	}
	return work, nil
}

// add makes a message of an event and adds it to work. The error is the whole webhook's.
func (a *Adapter) add(ctx context.Context, w Webhook, p *Parsed, work *Batch) (Verdict, error) {
	message, err := a.message(ctx, w, p)
	unused := unusable(p, err)
	switch {
	case unused != nil && p.Unasked && p.Err == nil && isElsewhere(unused):
		work.unasked++
	case unused != nil:
		work.Unused = unused
	case err != nil:
		return Verdict{}, err
	case p.Second && len(a.Later) > 0:
		work.Later = append(work.Later, message)
	default:
		work.add(message, &p.Event, a.Lanes)
		if p.Outbox != nil {
			work.outbox = append(work.outbox, posted{p.box, p.Event.TenantID, Kept{Event: p.Event.EventID, At: p.Event.ReceivedAt, Body: p.Outbox}})
		}
	}
	return Verdict{Event: canonical.EventID(message.ID), Err: unused}, nil
}

// unusable returns why an event alone cannot be used, nil where it can or where the error is the whole webhook's.
func unusable(p *Parsed, err error) error {
	switch {
	case errors.Is(err, tenant.ErrUnknown):
		return fault.New(fault.Permanent, CodeUnowned, nil)
	case errors.Is(err, tenant.ErrUnserved):
		return fault.New(fault.Permanent, CodeChannel, nil)
	case p.Err != nil:
		return err
	case err != nil && (fault.Of(err).Code == CodeLarge || fault.Of(err).Code == canonical.CodeInvalid):
		return err
	default:
		return nil
	}
}

// isElsewhere reports whether an event is of no line.
func isElsewhere(unused error) bool {
	code := fault.Of(unused).Code
	return code == CodeUnowned || code == CodeChannel
}

// message completes one event and encodes it. It returns tenant.ErrUnknown or tenant.ErrUnserved for one that belongs to no
// line: only a corrected tenant file mends that.
func (a *Adapter) message(ctx context.Context, w Webhook, p *Parsed) (queue.Message, error) {
	if p.Err != nil {
		return queue.Message{}, p.Err
	}
	line, err := a.line(ctx, w.AccountID, p)
	if err != nil {
		return queue.Message{}, err
	}
	pepper, err := a.Peppers.Pepper(ctx, line.TenantID)
	if err != nil {
		return queue.Message{}, lookupFault(err, "pepper_unreadable")
	}
	trace := telemetry.Trace(ctx)
	complete(p, w, line, a.description.Provider, pepper)
	a.guardFiles(p.Event.Message)
	if p.Outbox != nil {
		p.box = boxKey(line, p.Event.ThreadID)
	}
	a.redirect(ctx, &p.Event, pepper)
	p.Event.Trace.Traceparent = trace
	if raw := RawVendor(line.RawVendor, p.Vendor); raw != nil {
		if p.Event.Metadata == nil {
			p.Event.Metadata = make(map[string]json.RawMessage, 1)
		}
		p.Event.Metadata["rawVendor"] = raw
	}
	body, aside, err := encode(&p.Event, a.most(p.Event.Type))
	if err == nil {
		body, err = envelope.Event(ctx, a.sealer, &p.Event, body)
	}
	if err != nil {
		return queue.Message{}, err
	}
	a.reportSetAside(telemetry.WithEvent(ctx, string(p.Event.EventID)), aside)
	return queue.Message{ID: string(p.Event.EventID), Group: string(p.Event.ThreadID), Body: body, Trace: trace}, nil
}

// reportSetAside logs what was left out of an event.
func (a *Adapter) reportSetAside(ctx context.Context, problems []canonical.Problem) {
	for _, p := range problems {
		a.Logger.WarnContext(ctx, "a part of a message was set aside", slog.String("path", p.Path), slog.String("code", p.Code), slog.String("reason", p.Reason))
	}
}

// lookupFault sorts the failure of a look-up that nobody sorted.
func lookupFault(err error, code string) error {
	if sorted, ok := errors.AsType[*fault.Error](err); ok {
		return sorted
	}
	return fault.New(fault.Retryable, code, err)
}

// line returns the line of the account that the first of an event's addresses leads to: it has this address, and serves the event's
// channel. A status is of any channel: what was sent was sent, and that it fell back to another channel is told by nothing else.
func (a *Adapter) line(ctx context.Context, account string, p *Parsed) (tenant.Line, error) {
	channel := p.Event.Channel
	if p.Event.Direction == canonical.Status {
		channel = ""
	}
	none, tried := tenant.ErrUnknown, ""
	for _, address := range p.Addresses {
		if address == "" || address == tried {
			continue
		}
		line, err := a.Directory.Line(ctx, account, address, channel)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, tenant.ErrUnserved):
			none = err
		case !errors.Is(err, tenant.ErrUnknown):
			return tenant.Line{}, lookupFault(err, "line_unreadable")
		}
		tried = address
	}
	return tenant.Line{}, none
}

// redirect makes an event one of the thread that its sender is known to be of, where the identifier that it came by has another of its
// own. An event with a phone number is in the group of that, whatever is known: nothing is read for it.
func (a *Adapter) redirect(ctx context.Context, e *canonical.Event, pepper canonical.Pepper) {
	customer := e.Customer()
	if a.Aliases == nil || a.Lanes[e.Type] != nil || customer.Phone != "" || e.Type == canonical.TypeIdentity {
		return
	}
	thread, err := identity.Lookup(ctx, a.Aliases, e.TenantID, pepper, identity.Of(customer))
	switch {
	case err != nil: // the router finds it out
		a.Logger.WarnContext(ctx, "aliases cannot be read", slog.String("code", fault.Of(err).Code))
	case thread != "":
		e.ThreadID = thread
	}
}

// complete adds what depends on whose line it is, and when it came. What a channel did not give gets its default as it is encoded.
func complete(p *Parsed, w Webhook, line tenant.Line, provider string, pepper canonical.Pepper) {
	e := &p.Event
	explain(e.Receipt)
	e.SchemaVersion = canonical.SchemaVersion
	e.TenantID, e.LineID = line.TenantID, line.ID
	if e.Provider == "" || e.AccountID == "" {
		e.AccountID, e.Provider = w.AccountID, provider
	}
	e.EventID = canonical.NewEventID(line.TenantID, provider, w.AccountID, p.Kind, p.Key)
	e.ThreadID = canonical.NewThreadID(pepper, p.Person)
	e.ConversationID = conversationID(e.Channel, w.AccountID, e.ThreadID, p.Side)
	e.ReceivedAt = w.Received.UTC().Truncate(time.Millisecond)
	if e.Timestamp.After(w.Received) { // a clock that is ahead: nothing is newer than what comes next
		e.Timestamp = time.Time{}
	}
	if w.Fetched.IsZero() {
		return
	}
	e.Timestamp = cmp.Or(e.Timestamp, e.ReceivedAt)
	e.ReceivedAt = w.Fetched.UTC().Truncate(time.Millisecond)
	e.Flags.Historical, e.Flags.Backfilled = w.Historical, !w.Historical
}

// guardFiles takes the account's credentials off files that are not where the provider keeps them. What is read with them is read by another
// function, which knows no provider.
func (a *Adapter) guardFiles(m *canonical.Message) {
	if m == nil {
		return
	}
	guard := func(file *canonical.Attachment) {
		if file == nil || file.Access == nil || file.Access.Scheme == "" {
			return
		}
		at, err := url.Parse(file.URL)
		if err != nil || at.Scheme != "https" || !slices.ContainsFunc(a.description.MediaHosts, func(host string) bool {
			return at.Host == host || strings.HasPrefix(host, ".") && strings.HasSuffix(at.Host, host)
		}) {
			file.Access.Scheme, file.Access.Hosts, file.Access.Headers = "", nil, nil
		}
	}
	for i := range m.Attachments {
		guard(&m.Attachments[i])
	}
	for i := range m.Cards {
		guard(m.Cards[i].Media)
	}
}

// conversationID names the provider's own conversation: our side and the person on one channel. The person goes in as the
// thread, which is a MAC already, so that the identifier holds no address.
func conversationID(channel canonical.Channel, account string, thread canonical.ThreadID, side string) string {
	var room [256]byte
	sum := sha256.Sum256(append(append(append(room[:0], thread...), '|'), side...))
	id := append(append(append(append(room[:0], channel...), ':'), account...), ":conv:"...)
	return string(hex.AppendEncode(id, sum[:16]))
}

// most returns how large an event of a type may be: as its readers take, for what is larger than a queue's message is kept apart when it is sealed.
// Of one in a lane of its own nothing is kept, so that it goes in its message.
func (a *Adapter) most(t canonical.Type) int {
	if a.Lanes[t] != nil {
		return queue.MaxBody
	}
	return canonical.MaxSize
}

// encode validates an event and returns its JSON, and what was found wrong with parts of it that it can be without: they are left
// out, so that the words arrive, and noted. What is too large goes without what the provider sent, and then without the channel's leftovers:
// the canonical event holds everything that is acted on.
func encode(e *canonical.Event, most int) (body []byte, aside []canonical.Problem, err error) {
	body, err = canonical.Encode(*e, canonical.RawVendor)
	if _, invalid := errors.AsType[*canonical.ValidationError](err); invalid {
		if aside, err = e.SetAside(); err != nil {
			return nil, nil, fault.New(fault.Permanent, canonical.CodeInvalid, err)
		}
		noteSetAside(e, aside)
		body, err = canonical.Encode(*e, canonical.RawVendor)
	}
	noted := min(len(aside), 1) // members of the metadata that note makes
	for err != nil || len(body) > most {
		path := "$.metadata"
		switch {
		case e.Metadata[canonical.RawVendor] != nil:
			path += "." + canonical.RawVendor
			delete(e.Metadata, canonical.RawVendor)
		case len(e.Metadata) > noted:
			e.Metadata = nil
		default:
			return nil, nil, fault.New(fault.Permanent, CodeLarge, nil)
		}
		aside, noted = append(aside, canonical.Problem{Path: path, Code: canonical.ProblemLength, Reason: "is too long"}), 1
		noteSetAside(e, aside)
		body, err = canonical.Encode(*e, canonical.RawVendor)
	}
	return body, aside, nil
}

// noteSetAside says in the event's metadata what was left out of it, and why; not what it was.
func noteSetAside(e *canonical.Event, aside []canonical.Problem) {
	const most = 20                                           // one webhook may have a hundred attachments
	encoded, _ := json.Marshal(aside[:min(len(aside), most)]) // strings always encode
	if e.Metadata == nil {
		e.Metadata = make(map[string]json.RawMessage, 1)
	}
	e.Metadata[canonical.MetadataSetAside] = encoded
}
