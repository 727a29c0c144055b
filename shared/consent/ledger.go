package consent

import (
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/unknown"
)

// Pending is the state of an address whose owner was asked and has not answered.
const Pending = "pending"

// pendingFor is how long a yes can be the answer to that.
const pendingFor = 7 * 24 * time.Hour

// The purposes. A stop of messaging stops marketing too, a stop of marketing nothing else; a start is of its own purpose alone.
const (
	Messaging = "messaging"
	Marketing = "marketing"
)

// Mark is what was said of an address: by which channel, to which line of ours, for what purpose, and when.
type Mark struct {
	State   string            `json:"state"` // OptedOut, OptedIn or Pending
	Channel canonical.Channel `json:"channel"`
	Line    string            `json:"line,omitempty"` // its id; of every line when empty
	Purpose string            `json:"purpose"`
	At      time.Time         `json:"at"` // when it was said, to the millisecond
	EventID canonical.EventID `json:"eventId"`
	Source  string            `json:"source"`
	Unknown unknown.Members   `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Mark) UnmarshalJSON(data []byte) (err error) {
	type plain Mark
	m.Unknown, err = unknown.Unmarshal(data, (*plain)(m))
	return err
}

// MarshalJSON implements json.Marshaler.
func (m Mark) MarshalJSON() ([]byte, error) {
	type plain Mark
	return unknown.Marshal(plain(m), m.Unknown)
}

// Ledger is what holds of an address, or of a person: the newest mark of each state, channel, line and purpose. In whatever order
// marks are added, the same remain.
type Ledger []Mark

// Add returns the ledger with a mark, and whether that changed it.
func (l Ledger) Add(m Mark) (Ledger, bool) {
	for i, held := range l {
		if held.State != m.State || held.Channel != m.Channel || held.Line != m.Line || held.Purpose != m.Purpose {
			continue
		}
		if c := m.At.Compare(held.At); c < 0 || c == 0 && m.EventID <= held.EventID {
			return l, false
		}
		l = slices.Clone(l)
		l[i] = m
		return l, true
	}
	return append(slices.Clip(l), m), true
}

// Join returns what holds of one person who was taken for two: every stop of both, so that the stricter holds.
func Join(a, b Ledger) Ledger {
	for _, m := range b {
		a, _ = a.Add(m)
	}
	return a
}

// Question is what is to be known before something is sent to an address.
type Question struct {
	Channel canonical.Channel
	Line    string // of ours that would send, by its id; any when empty
	Purpose string
}

// Verdict is the answer to a Question.
type Verdict string

// The verdicts. Where it is unknown, a person may be answered; nothing may be started.
const (
	Allowed Verdict = "allowed"
	Denied  Verdict = "denied"
	Unknown Verdict = "unknown"
)

// The reasons of a verdict.
const (
	WhyStopped   = "stopped"           // denied: the newest that was said of the address is a stop
	WhyElsewhere = "stopped_elsewhere" // denied: its person stopped at another address, and has not started at this one since
	WhyStarted   = "started"           // allowed
	WhyPending   = "pending"           // unknown: they were asked, and have not answered
	WhyNever     = "never_asked"       // unknown
)

// Answer is a verdict, and the mark it follows from, if there is one.
type Answer struct {
	Verdict Verdict
	Why     string
	Mark    Mark
}

// The scopes of a stop: which lines of a tenant it closes.
const (
	ScopeTenant = "tenant" // all
	ScopeBrand  = "brand"  // those of the line's brand
	ScopeLine   = "line"   // the line that it was sent to
)

// Policy is how a tenant reads what was said. Marks are facts: with another policy the same ones are read anew.
type Policy struct {
	Families  [][]canonical.Channel // channels that are closed and opened together; any other is alone
	Scope     string
	Brands    map[string]string // of lines, by their ids
	RevokeAll time.Time         // a stop since then closes every line, whatever the scope
}

// DefaultPolicy returns the policy of a tenant that sets none. Numbers get SMS, MMS and RCS by one sender, and providers keep one
// state for the three. RevokeAll is when 47 CFR 64.1200(a)(10) comes into force as a whole.
func DefaultPolicy() Policy {
	return Policy{
		Families:  [][]canonical.Channel{{canonical.SMS, "mms", canonical.RCS}},
		Scope:     ScopeTenant,
		RevokeAll: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
	}
}

// Family returns the channels that are closed and opened together with one, itself among them.
func (p Policy) Family(c canonical.Channel) []canonical.Channel {
	for _, family := range p.Families {
		if slices.Contains(family, c) {
			return family
		}
	}
	return []canonical.Channel{c}
}

// May returns whether something may be sent. An address is closed if the newest that was said of it is a stop, of two at one instant
// the stop, or if its person has a stop that is as new as the newest start of the address. A start opens its own address alone.
func (p Policy) May(address, person Ledger, q Question) Answer {
	purpose := q.Purpose
	q.Purpose = Messaging
	a := p.answer(address, person, q)
	if a.Verdict != Denied && purpose == Marketing {
		q.Purpose = Marketing
		return p.answer(address, person, q)
	}
	return a
}

func (p Policy) answer(address, person Ledger, q Question) Answer {
	start, started := p.newest(address, OptedIn, q)
	if stop, ok := p.newest(address, OptedOut, q); ok && (!started || !start.At.After(stop.At)) {
		return Answer{Denied, WhyStopped, stop}
	}
	if stop, ok := p.newest(person, OptedOut, q); ok && (!started || !start.At.After(stop.At)) {
		return Answer{Denied, WhyElsewhere, stop}
	}
	if started {
		return Answer{Allowed, WhyStarted, start}
	}
	if asked, ok := p.newest(address, Pending, q); ok {
		return Answer{Unknown, WhyPending, asked}
	}
	return Answer{Verdict: Unknown, Why: WhyNever}
}

// Pending reports whether the owner of an address had been asked for consent by an instant, not long before, and has not stopped since.
func (p Policy) Pending(address Ledger, q Question, at time.Time) bool {
	asked, ok := p.newest(address, Pending, q)
	if !ok || at.Before(asked.At) || at.After(asked.At.Add(pendingFor)) {
		return false
	}
	stop, stopped := p.newest(address, OptedOut, q)
	return !stopped || stop.At.Before(asked.At)
}

// newest returns the newest mark of a state that concerns a question, of two at one instant the one that any reader takes.
func (p Policy) newest(l Ledger, state string, q Question) (newest Mark, ok bool) {
	for _, m := range l {
		if m.State != state || m.Purpose != q.Purpose || !p.concerns(m, q) {
			continue
		}
		if c := m.At.Compare(newest.At); !ok || c > 0 || c == 0 && m.EventID > newest.EventID {
			newest, ok = m, true
		}
	}
	return newest, ok
}

// concerns reports whether a mark was made on a channel of the family, and to a line whose marks hold for the one that is asked about.
func (p Policy) concerns(m Mark, q Question) bool {
	if !slices.Contains(p.Family(q.Channel), m.Channel) {
		return false
	}
	stop := m.State == OptedOut
	if m.Line == "" || q.Line == "" || m.Line == q.Line || stop && !p.RevokeAll.IsZero() && !m.At.Before(p.RevokeAll) {
		return true
	}
	switch p.Scope {
	case ScopeLine:
		return false
	case ScopeBrand:
		brand, known := p.Brands[m.Line]
		if !known { // a line that was removed: what was said to it closes, and opens nothing
			return stop
		}
		return brand == p.Brands[q.Line]
	default:
		return true
	}
}
