package chaos

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
)

// sender sends the webhooks of a plan and notes what became of them.
type sender struct {
	client  *samples.Client
	history *History
	end     time.Time    // from when on no thread begins another message; zero is never
	late    atomic.Int64 // messages that were not sent for it

	// decided reports whether the router has recorded an event.
	decided func(ctx context.Context, event string) bool
}

// again is how long a webhook without an answer waits for its next attempt, twice as long each time up to answerIn, so that a machine
// that cannot keep up is not drowned. AnswerIn is how long one waits for its answer.
const (
	again    = 150 * time.Millisecond
	answerIn = 5 * time.Second
)

// parcel is one webhook, and what the history says of it.
type parcel struct {
	note   Send
	sample samples.Sample
}

// sample returns the n-th message of a person.
func sample(c *samples.Client, person, n int, w Webhook, at time.Time) samples.Sample {
	l := samples.Load{Kind: samples.Message, Number: fmt.Sprintf("%016x%016x", person, n), Person: samples.Phone(person), Text: fmt.Sprintf("message %d", n)}
	if w.Machine {
		l.Text = "Automatic reply: I am away and read this on Monday."
	}
	if w.Day {
		l.Text, l.Sent = words(person, n), at
		return c.NewTo(dayLine, l)
	}
	if w.By != byPhone {
		l.Channel, l.User = canonical.WhatsApp, user(person)
	}
	if w.By == byUser {
		l.Person = ""
	}
	if senders := c.Senders(l); len(senders) > 0 {
		l.Account.ID = senders[w.Sender%len(senders)]
	}
	return c.New(l)
}

// callback returns what is reported of the n-th message of ours.
func callback(c *samples.Client, n int, state string) samples.Sample {
	return c.New(samples.Load{Kind: samples.Status, Number: fmt.Sprintf("%032x", n), Person: samples.Phone(n), Text: state})
}

// message returns the n-th message of a person. What is shown among others says itself when it was written.
func (s *sender) message(person, n int, w Webhook, at time.Time) parcel {
	at = at.Add(-toldAfter).UTC().Truncate(time.Millisecond)
	m := sample(s.client, person, n, w, at)
	note := Send{
		Kind: OfPerson, Thread: samples.Phone(person), Machine: w.Machine, Event: string(s.client.EventID(m)), Sender: m.Account(), Proves: w.By == byBoth,
	}
	if w.Day {
		note.Note, note.Said = noteOf(person, n), at
	}
	if w.By == byUser {
		note.Thread, note.Person = user(person), samples.Phone(person)
	}
	return s.parcel(m, note)
}

func (s *sender) receipt(n int, state string) parcel {
	return s.parcel(callback(s.client, n, state), Send{Kind: OfReceipt, Thread: samples.Phone(n), State: state})
}

// outreach is the n-th one to a person.
func (s *sender) outreach(person, n int, sent time.Time) parcel {
	o := s.client.New(samples.Load{Kind: samples.Outreach, Number: fmt.Sprintf("out_%d_%d", person, n), Person: samples.Phone(person), Sent: sent})
	return s.parcel(o, Send{Kind: OfAsking, Thread: samples.Phone(person), Asked: sent})
}

func (s *sender) parcel(m samples.Sample, note Send) parcel {
	note.Message, note.Key = s.client.ID(m), s.client.MessageKey(m)
	return parcel{note, m}
}

// thread sends one person's webhooks, each at its time or, on a machine that cannot keep up, as soon as the one before is
// acknowledged. It returns when all are acknowledged, or ctx is done. The first message that proves who the person is follows when what
// they wrote before is decided, and the next one when that is itself: what overtakes a proof is before it.
func (s *sender) thread(ctx context.Context, person int, webhooks []Webhook) {
	var all sync.WaitGroup
	defer all.Wait()
	at, proved, last := time.Now(), false, parcel{}
	for n, w := range webhooks {
		at = at.Add(w.Gap)
		if !sleep(ctx, time.Until(at)) || !s.end.IsZero() && time.Now().After(s.end) {
			s.late.Add(int64(len(webhooks) - n))
			return
		}
		m := s.message(person, n, w, at)
		first := w.By == byBoth && !proved
		if n > 0 && first && !s.settled(ctx, last) {
			return
		}
		last = m
		s.repeat(ctx, &all, m, w.Duplicate)
		if proved = proved || first; first {
			s.deliver(ctx, m)
			if !s.settled(ctx, m) {
				return
			}
			continue
		}
		if !w.Overlap {
			s.deliver(ctx, m)
			continue
		}
		all.Go(func() {
			if sleep(ctx, w.Delay) {
				s.deliver(ctx, m)
			}
		})
	}
}

// settled waits until the event of a webhook is decided.
func (s *sender) settled(ctx context.Context, p parcel) bool {
	for !s.decided(ctx, p.note.Event) {
		if !sleep(ctx, again) {
			return false
		}
	}
	return true
}

// outbound sends what is reported of the n-th message of ours, likewise.
func (s *sender) outbound(ctx context.Context, n int, o Outbound) {
	var all sync.WaitGroup
	defer all.Wait()
	if !sleep(ctx, o.At) {
		return
	}
	_ = s.client.Register(ctx, callback(s.client, n, "queued")) // a message that is not registered is found out to be lost
	for _, r := range o.Receipts {
		p := s.receipt(n, r.State)
		all.Go(func() {
			if sleep(ctx, r.After) {
				s.repeat(ctx, &all, p, r.Duplicate)
				s.deliver(ctx, p)
			}
		})
	}
}

// asked registers what a person was asked, likewise. Times are from the beginning.
func (s *sender) asked(ctx context.Context, beginning time.Time, person int, asked []Asked) {
	var all sync.WaitGroup
	defer all.Wait()
	for n, a := range asked {
		p := s.outreach(person, n, beginning.Add(a.Sent))
		all.Go(func() {
			if sleep(ctx, a.At) {
				s.repeat(ctx, &all, p, a.Duplicate)
				s.deliver(ctx, p)
			}
		})
	}
}

// repeat sends a webhook again, so long after now each time, whatever becomes of it.
func (s *sender) repeat(ctx context.Context, all *sync.WaitGroup, p parcel, after []time.Duration) {
	for _, wait := range after {
		all.Go(func() {
			if sleep(ctx, wait) {
				s.send(ctx, p, 0)
			}
		})
	}
}

// deliver sends a webhook until it is acknowledged.
func (s *sender) deliver(ctx context.Context, p parcel) {
	wait := again
	for attempt := 1; !s.send(ctx, p, attempt); attempt++ {
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, answerIn)
	}
}

// send sends a webhook once and reports whether it was acknowledged.
func (s *sender) send(ctx context.Context, p parcel, attempt int) bool {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	note := p.note
	note.Attempt, note.At = attempt, time.Now()
	var err error
	if note.Status, err = s.client.Send(ctx, p.sample); err != nil {
		note.Error = "no answer"
	}
	note.Answered = time.Now()
	s.history.Note(note)
	return note.Acknowledged()
}
