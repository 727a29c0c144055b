package conversation

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

// Counted is a message as its conversation counts it.
type Counted struct {
	Event    canonical.EventID
	Line     string
	Channel  canonical.Channel
	At       time.Time // event time
	Outbound bool
	Again    bool   // its message was counted when another event told of it
	ByPerson bool   // a person wrote it, who waits for an answer if it is inbound
	Key      string // canonical.MessageKey, of an outbound one
	Consent  string // as it is on the channel: opted_out, opted_in or ""
	Owner    string // whom the event gave a new lead to, "" where it gave none
}

// maxRecent bounds Conversations.Recent: more than messages of one thread are worked on at once.
const maxRecent = 16

// Count counts a message and reports whether that changed anything: one of those counted last is not counted again. In whatever order
// messages come, the same becomes of them.
func (c *Conversations) Count(x Counted) bool {
	mark := string(x.Event[:min(len(x.Event), 13)]) // of random digits
	if slices.Contains(c.Recent, mark) {
		return false
	}
	c.Recent = append(slices.Clone(c.Recent[max(0, len(c.Recent)+1-maxRecent):]), mark)
	c.All = slices.Clone(c.All)
	i := slices.IndexFunc(c.All, func(s State) bool { return s.Line == x.Line && s.Channel == x.Channel })
	if i < 0 {
		i, c.All = len(c.All), append(c.All, State{Line: x.Line, Channel: x.Channel})
	}
	c.All[i].count(x)
	return true
}

// Of returns the conversation on a line and channel.
func (c *Conversations) Of(line string, channel canonical.Channel) (State, bool) {
	for _, s := range c.All {
		if s.Line == line && s.Channel == channel {
			return s, true
		}
	}
	return State{}, false
}

func (s *State) count(x Counted) {
	at := x.At.UTC()
	if !x.Again {
		s.Messages++
	}
	s.Consent = x.Consent
	if s.Owner == "" {
		s.Owner = x.Owner
	}
	if x.Outbound {
		s.sent(at, x)
	} else {
		s.came(at)
	}
	turn := WaitingForUs
	if x.Outbound {
		turn = WaitingForThem
	}
	if x.ByPerson && (at.After(s.Since) || at.Equal(s.Since) && turn == WaitingForUs) {
		s.Status, s.Since, s.ClosedAt = turn, at, time.Time{}
	}
}

// maxEarly bounds State.Early.
const maxEarly = 4

// came counts what came in at a time.
func (s *State) came(at time.Time) {
	if at.After(s.LastInbound) {
		s.LastInbound = at
	}
	if !s.FirstInbound.IsZero() && !at.Before(s.FirstInbound) {
		return
	}
	s.FirstInbound = at
	early := s.Early
	s.Early = nil
	for _, answer := range early {
		s.answer(answer)
	}
}

// answer counts what a person of ours wrote at a time.
func (s *State) answer(at time.Time) {
	switch {
	case s.FirstInbound.IsZero() || !at.After(s.FirstInbound):
		s.Early = append(slices.Clone(s.Early), at)
		slices.SortFunc(s.Early, time.Time.Compare)
		s.Early = s.Early[max(0, len(s.Early)-maxEarly):]
	case s.FirstAnswer.IsZero() || at.Before(s.FirstAnswer):
		s.FirstAnswer = at
	}
}

// sent counts what went out at a time.
func (s *State) sent(at time.Time, x Counted) {
	if s.FirstOutbound.IsZero() || at.Before(s.FirstOutbound) {
		s.FirstOutbound = at
	}
	if at.After(s.LastOutbound) || at.Equal(s.LastOutbound) && x.Key > s.LastSent {
		s.LastOutbound, s.LastSent, s.Receipt, s.ReceiptAt = at, x.Key, "", time.Time{}
	}
	if x.ByPerson {
		s.answer(at)
	}
}

// RaiseReceipt raises how far the message of an external id got, if it is the last one that was sent in a conversation, and returns that
// conversation. It reports whether that changed it.
func (c *Conversations) RaiseReceipt(key string, status receipt.Status) (s State, changed bool) {
	i := slices.IndexFunc(c.All, func(s State) bool { return key != "" && s.LastSent == key })
	if i < 0 {
		return State{}, false
	}
	s = c.All[i]
	if status.Rank() <= (receipt.Status{State: s.Receipt}).Rank() {
		return s, false
	}
	s.Receipt, s.ReceiptAt = status.State, status.At.UTC()
	c.All = slices.Clone(c.All)
	c.All[i] = s
	return s, true
}

// ClosesAt returns when a conversation is closed if nothing more is said in it, by the silence after which it is.
func (s *State) ClosesAt(silence time.Duration) time.Time {
	last := s.LastInbound
	if s.LastOutbound.After(last) {
		last = s.LastOutbound
	}
	return last.Add(silence)
}

// Close closes a conversation in which nothing was said for a silence, and reports whether that changed it. What is said later opens it,
// and so does what was said before and comes late, if it changes whose turn it is.
func (s *State) Close(now time.Time, silence time.Duration) bool {
	at := s.ClosesAt(silence)
	if s.Status == Closed || now.Before(at) {
		return false
	}
	s.Status, s.ClosedAt = Closed, at.UTC()
	return true
}

// UpdateStates reads the conversations of a thread, changes them and writes them at the version that was read; held, where the caller
// has read the record already, spares the read. It returns what is held afterwards. Change returns false to leave it as it is, and may be
// called again with newer ones.
func UpdateStates(ctx context.Context, s Store, tenant string, thread canonical.ThreadID, held *store.Record, change func(*Conversations) bool) (store.Record, error) {
	key := StatesKey(tenant, thread)
	for range maxAttempts {
		if held == nil {
			records, err := s.Get(ctx, key)
			if err != nil {
				return store.Record{}, err
			}
			held = &records[0]
		}
		c, err := DecodeStates(held.Data)
		if err != nil || !change(&c) {
			return *held, err
		}
		data, err := EncodeStates(c)
		if err != nil {
			return *held, err
		}
		written, err := s.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: key, Version: held.Version, Data: data}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		switch {
		case err == nil:
			return written[0], nil
		case !lost:
			return *held, err
		}
		held = new(conflict.Held)
	}
	return *held, fault.New(fault.Retryable, "conversations_contended", nil)
}
