package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// What a Connector adds to the result of a step that Logs. ResultBehind it adds for Next alone: more was said since.
const (
	ResultRevision = "revision" // of what was shown
	ResultBehind   = "behind"
)

// mark is what is kept of an activity that a CRM holds.
type mark struct {
	Revision     int64  `json:"revision"`               // of the session's record that the CRM shows, as session.Shown reads it
	Conversation string `json:"conversation,omitempty"` // how the conversation stood that the CRM shows, but for receipts
	Parts        int    `json:"parts"`
	Result       Result `json:"result"`

	Unknown unknown.Members `json:"-"`
}

// markKey returns where the mark of a delivery's session is kept.
func markKey(d *delivery.Delivery) store.Key {
	return session.MarkKey(d.Event.TenantID, d.Event.ThreadID, d.CRM, d.Session.Name)
}

// showing is what is shown of an item's session, if it has one, and of how its conversation stands.
type showing struct {
	session  store.Record
	record   session.Record
	held     store.Record // the mark's
	mark     mark
	activity *Activity // for the next step, nil without a session
	standing *Standing // nil if it is not shown
	rounds   int       // how often it was read
}

// keys returns what is read of the store: how the conversation stands, the session, and what the CRM shows of it.
func (it *item) keys() (keys []store.Key) {
	d := &it.delivery
	if d.Conversation {
		keys = append(keys, conversation.StatesKey(d.Event.TenantID, d.Event.ThreadID))
	}
	if d.Session != nil {
		keys = append(keys, d.SessionKey(), markKey(d))
	}
	return keys
}

// read makes what is held under an item's keys what the item shows. A session that is not there any more is not shown: the event then is
// by itself.
func (it *item) read(ctx context.Context, o session.Opener, held []store.Record) error {
	d, next := &it.delivery, &showing{rounds: 1}
	if it.show != nil {
		next.rounds += it.show.rounds
	}
	it.show = next
	if d.Conversation {
		state, all, err := findState(held[0], d.Event.LineID, d.Event.Channel)
		if err != nil {
			return err
		}
		if state != nil {
			next.standing = &Standing{Key: state.ExternalID(d.Event.TenantID, d.Event.ThreadID), State: *state, All: all}
		}
		held = held[1:]
	}
	if d.Session == nil {
		return nil
	}
	if held[0].Version == 0 {
		d.Session, d.Conversation, it.show = nil, false, nil
		return nil
	}
	return next.read(ctx, o, d, held[0], held[1])
}

// read reads a session and its mark.
func (s *showing) read(ctx context.Context, o session.Opener, d *delivery.Delivery, held, mark store.Record) (err error) {
	s.session, s.held = held, mark
	if s.record, err = session.Open(ctx, o, held); err != nil {
		return err
	}
	if mark.Version > 0 {
		if s.mark.Unknown, err = unknown.Unmarshal(mark.Data, &s.mark); err != nil {
			return fault.New(fault.Permanent, "session_mark_malformed", nil)
		}
	}
	zone, err := time.LoadLocation(s.record.Zone)
	if err != nil {
		return fault.New(fault.Permanent, session.CodeMalformed, nil)
	}
	a := &Activity{Key: d.Session.Key, Channel: d.Event.Channel, Start: d.Event.Timestamp.In(zone), Zone: zone, Late: s.record.Late, Lines: Lines(s.record, zone)}
	if len(a.Lines) > 0 {
		a.Start = a.Lines[0].At
	}
	if s.standing != nil {
		a.Conversation, a.Conversations, a.ConversationKey = &s.standing.State, s.standing.All, s.standing.Key
	}
	s.activity = a
	return nil
}

// findState returns how a conversation stands by what is held of its thread's, nil if it was not counted, and how all of them do.
func findState(held store.Record, line string, channel canonical.Channel) (*conversation.State, []conversation.State, error) {
	of, err := conversation.DecodeStates(held.Data)
	if err != nil {
		return nil, nil, err
	}
	for i, s := range of.All {
		if s.Line == line && s.Channel == channel {
			return &of.All[i], of.All, nil
		}
	}
	return nil, of.All, nil
}

// revision names what is shown: it changes when more is said, or the conversation stands otherwise.
func (s *showing) revision() string {
	stands := ""
	if s.standing != nil {
		stands = fingerprint(s.standing.All...)
	}
	return strconv.FormatInt(s.session.Version, 10) + "." + stands
}

// stands names how the conversation stands, but for receipts, which are shown by a lane of their own.
func (s *showing) stands() string {
	if s.standing == nil {
		return ""
	}
	state := s.standing.State
	state.Receipt, state.ReceiptAt = "", time.Time{}
	return fingerprint(state)
}

func fingerprint(states ...conversation.State) string {
	data, _ := json.Marshal(states) // texts, numbers and times: they always encode
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// shown reports whether the CRM shows an item's event by now, so that nothing is left to do. How the conversation stands may have been
// written later than what was said: it is compared unless more was said since, whose delivery shows it.
func (it *item) shown() bool {
	s := it.show
	stands := s.session.Version > s.mark.Revision || s.mark.Conversation == s.stands()
	return it.delivery.Session != nil && it.onlyLogs() && s.held.Version > 0 && s.mark.Revision >= it.delivery.Session.Revision && stands &&
		(!CarriesName(it.delivery) || it.delivery.Person.Links[LinkNamed] == "true")
}

// due returns how long an item is to wait for others of its session, with which it is written, no time if all is written at once.
func (it *item) due(atOnce bool) time.Duration {
	if atOnce || it.show == nil || it.delivery.Session == nil || !it.onlyLogs() {
		return 0
	}
	return time.Until(it.show.record.Due(it.delivery.Event.EventID, it.delivery.Session.Window))
}

// onlyLogs reports whether an item is for nothing but the timeline.
func (it *item) onlyLogs() bool {
	return !slices.ContainsFunc(it.delivery.Actions, func(a delivery.Action) bool { return a.Kind != delivery.LogActivity })
}

// refresh makes what Next sees of the item's progress, and what the next step shows, follow from what was read last.
func (it *item) refresh() {
	if it.show == nil {
		return
	}
	now := it.show.revision()
	for name, result := range it.done {
		if was := result[ResultRevision]; was != "" && was != now {
			behind := maps.Clone(result)
			behind[ResultBehind] = "true"
			it.done[name] = behind
		}
	}
	if it.show.activity != nil {
		next := *it.show.activity
		next.Written, next.Parts, _ = it.written()
		it.show.activity = &next
	}
}

// revised returns the result of a step with what it shows, if it logs.
func (it *item) revised(logs bool, result Result) Result {
	if !logs || it.show == nil || result[ResultGone] != "" {
		return result
	}
	tagged := maps.Clone(result)
	if tagged == nil {
		tagged = Result{}
	}
	tagged[ResultRevision] = it.show.revision()
	return tagged
}

// written returns the result of the steps that wrote the activity, before or in this delivery, and how many parts it has: nil and 0 if
// none did. By reports whether one of this delivery did.
func (it *item) written() (result Result, parts int, by bool) {
	if it.show.held.Version > 0 {
		result, parts = maps.Clone(it.show.mark.Result), it.show.mark.Parts
		if result == nil {
			result = Result{}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(it.done)) {
		wrote := it.done[name]
		if wrote[ResultRevision] == "" {
			continue
		}
		if by = true; result == nil {
			result = Result{}
		}
		maps.Copy(result, wrote)
	}
	if n, err := strconv.Atoi(result[ResultParts]); err == nil {
		parts = n
	}
	if result != nil {
		parts = max(parts, 1)
	}
	for _, own := range []string{ResultRevision, ResultBehind, ResultParts} {
		delete(result, own)
	}
	return result, parts, by
}

// followed reports whether others are in the session that came after the item, or with it: their deliveries are still to come.
func (it *item) followed() bool {
	own := it.delivery.Event
	return slices.ContainsFunc(it.show.record.Entries, func(e session.Entry) bool {
		return e.Event.EventID != own.EventID && !e.Event.ReceivedAt.Before(own.ReceivedAt)
	})
}

// marks returns the change that keeps what the CRM shows now. There is none where what is kept says enough: nobody but this delivery
// would know more by it.
func (it *item) marks() (change store.Change, ok bool) {
	if it.show == nil || it.delivery.Session == nil {
		return change, false
	}
	result, parts, by := it.written()
	s := it.show
	news := s.held.Version == 0 || parts != s.mark.Parts || !maps.Equal(result, s.mark.Result)
	if !by || !news && s.session.Version == it.delivery.Session.Revision && !it.followed() {
		return change, false
	}
	next := mark{Revision: s.session.Version, Conversation: s.stands(), Parts: parts, Result: result}
	data, err := unknown.Marshal(next, s.mark.Unknown)
	if err != nil {
		return change, false
	}
	at := markKey(&it.delivery)
	return store.Change{Kind: store.Put, Record: store.Record{Key: at, Version: s.held.Version, Expires: s.session.Expires, Data: data}}, true
}
