package console

import (
	"context"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// holds reports whether a mark is what holds where it was made.
func (d *desk) holds(m consent.Mark, address, person consent.Ledger) bool {
	return d.policy.May(address, person, consent.Question{Channel: m.Channel, Line: m.Line, Purpose: m.Purpose}).Mark.EventID == m.EventID
}

// events returns the events that tell CRMs of the entries of a row that hold now: one a family of channels, for all of it is closed and opened
// together. A repeat returns the same ones, so that what was kept and not told before is told by it.
func (d *desk) events(address string, entries []consent.Entry, now consent.Held) (told []canonical.Event) {
	for _, e := range entries {
		if m := e.Mark; m.State != consent.Pending && m.Purpose == consent.Messaging && d.holds(m, now.Address, now.Person) {
			told = append(told, d.event(address, m))
		}
	}
	return told
}

// event returns the event that tells of a mark. Nobody wrote, so that it is a status, of which nobody is made.
func (d *desk) event(address string, m consent.Mark) canonical.Event {
	keyword := map[string]string{consent.OptedOut: consent.Stop, consent.OptedIn: consent.Start}[m.State]
	thread := canonical.NewThreadID(d.pepper, address)
	e := canonical.Event{
		EventID: m.EventID, SchemaVersion: canonical.SchemaVersion, TenantID: d.tenant, LineID: m.Line, ThreadID: thread, Provider: consent.Operator,
		Type: canonical.TypeConsent, Channel: m.Channel, Direction: canonical.Status,
		ConversationID: string(m.Channel) + ":" + consent.Operator + ":conv:" + string(thread),
		Consent:        &canonical.Consent{Keyword: keyword, State: m.State, Source: m.Source},
		Timestamp:      m.At, ReceivedAt: d.now,
	}
	if e.Recipient.ID = address; canonical.IsE164(address) {
		e.Recipient = canonical.Participant{Phone: address}
	}
	return e
}

// tell queues events for the router. The entries are kept by then: who repeats the request after an error tells the rest.
func (d *desk) tell(ctx context.Context, events []canonical.Event) error {
	if len(events) == 0 {
		return nil
	}
	messages := make([]queue.Message, len(events))
	for i := range events {
		e := &events[i]
		body, err := canonical.Encode(*e)
		if err != nil {
			return fault.New(fault.Permanent, canonical.CodeInvalid, err)
		}
		if body, err = envelope.Event(ctx, d.Sealer, e, body); err != nil {
			return err
		}
		messages[i] = queue.Message{ID: string(e.EventID), Group: string(e.ThreadID), Body: body}
	}
	return d.Events.Publish(ctx, messages...)
}
