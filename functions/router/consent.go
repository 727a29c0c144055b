package router

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// asked returns the consent that an event asks for, nil for none. Plain words are a person's, and no machine's.
func asked(e *canonical.Event) *canonical.Consent {
	c := consent.FromEvent(e)
	switch {
	case c == nil:
		return nil
	case c.Source == consent.SourcePhrase && automatic(e):
		return nil
	case e.Flags.Historical && c.State != consent.OptedOut: // what was asked for before we were there: a stop holds, nothing else does
		return nil
	default:
		return c
	}
}

// question returns what is asked of the consent to answer an event.
func question(e *canonical.Event) consent.Question {
	return consent.Question{Channel: e.Channel, Line: e.LineID, Purpose: consent.Messaging}
}

// ofMarketing reports whether a change is of marketing alone. It is kept, and told to nobody: CRMs and heads say who may not be written to.
func ofMarketing(c *canonical.Consent) bool { return c != nil && c.Purpose == consent.Marketing }

// pendingOptIn returns the opt-in that a yes is if the person was asked for one, nil if it is talk.
func (r *Router) pendingOptIn(ctx context.Context, e *canonical.Event, p consent.Policy, who consent.Subject) (*canonical.Consent, error) {
	held, err := consent.Read(ctx, r.Store, who)
	if err != nil || !p.Pending(held.Address, question(e), e.Timestamp) {
		return nil, err
	}
	return &canonical.Consent{Keyword: consent.Start, State: consent.OptedIn, Source: consent.SourceKeyword}, nil
}

// change is what a change of consent is made with.
type change struct {
	tenant tenant.Tenant
	pepper canonical.Pepper
	who    consent.Subject
	known  conversation.Head
	head   store.Record // that was read
}

// applyConsent records a change of consent before anything else is written, and reports whether none was made, because of a newer one
// or because a provider told with a receipt what is known: every message that it refuses to send tells it again.
func (r *Router) applyConsent(ctx context.Context, e *canonical.Event, c *canonical.Consent, x change) (superseded bool, err error) {
	if c == nil || c.State == "" {
		return false, nil
	}
	if e.Direction == canonical.Status && !ofMarketing(c) && x.known.Consent[e.Channel].State == c.State {
		return true, nil
	}
	about := question(e)
	about.Purpose = cmp.Or(c.Purpose, about.Purpose)
	for key, of := "", x.who.Person; key != of; {
		key, x.who.Person = of, of
		held, err := r.keepEntry(ctx, e, x.who, entry(e, c, x.pepper))
		if err != nil {
			return false, err
		}
		if err := r.tellProviders(ctx, e, c, held, x); err != nil {
			return false, err
		}
		now := x.tenant.Consent.May(held.Address, held.Person, about)
		superseded = now.Mark.EventID != e.EventID
		state := conversation.ConsentState{State: consent.OptedIn, At: now.Mark.At}
		if now.Verdict == consent.Denied {
			state.State = consent.OptedOut
		}
		err = conversation.Update(ctx, r.Store, x.head.Key, &x.head, func(h *conversation.Head) (changed bool) {
			of = cmp.Or(h.PersonKey, key) // another one since a moment ago, if the person was found to be somebody
			if ofMarketing(c) {
				return false
			}
			for _, channel := range x.tenant.ClosedWith(e.Channel) {
				changed = h.SetConsent(channel, state) || changed
			}
			return changed
		})
		if err != nil {
			return false, err
		}
	}
	return superseded, nil
}

// keepEntry keeps what an event asks for. Of what an operator entered the evidence is there, and says more than the event does.
func (r *Router) keepEntry(ctx context.Context, e *canonical.Event, who consent.Subject, x consent.Entry) (consent.Held, error) {
	if e.Provider == consent.Operator {
		return consent.Hold(ctx, r.Store, who, x.Mark)
	}
	return consent.Apply(ctx, r.Store, who, x)
}

// imported reports whether an event is of an import: of very many, which CRMs are told of whom they are known to hold alone. A search for each
// would hold up messages for hours. Who is not known yet is marked once they are.
func imported(e *canonical.Event) bool {
	return e.Provider == consent.Operator && e.Consent != nil && e.Consent.Source == consent.SourceImport
}

// entry returns the evidence of what an event asks for.
func entry(e *canonical.Event, c *canonical.Consent, pepper canonical.Pepper) consent.Entry {
	x := consent.Entry{Actor: "customer", Recorded: cmp.Or(e.ReceivedAt, e.Timestamp), Mark: consent.Mark{
		State: c.State, Channel: e.Channel, Line: e.LineID, Purpose: cmp.Or(c.Purpose, consent.Messaging), At: e.Timestamp, EventID: e.EventID, Source: c.Source,
	}}
	switch c.Source {
	case consent.SourceProvider, consent.SourceReceipt:
		x.Actor = "provider"
	case consent.SourceKeyword, consent.SourcePhrase:
		x.List = consent.ListVersion()
	}
	if e.Message != nil && e.Message.Text != "" {
		x.Words = canonical.Digest(pepper, "words", e.Message.Text)
	}
	return x
}

// owed returns what a sender owes a person who asked for something: by what the tenant says of the line, and where it says nothing, help
// that the provider did not give.
func owed(e *canonical.Event, c *canonical.Consent, line tenant.Answers) string {
	if c == nil || ofMarketing(c) || c.Source == consent.SourceProvider || c.Source == consent.SourceReceipt || e.Provider == consent.Operator {
		return ""
	}
	switch {
	case c.Keyword == consent.Help && (line.Help == tenant.Us || line.Help == ""):
		return OwedHelp
	case c.Keyword == consent.Stop && line.Stop == tenant.Us:
		return OwedStop
	default:
		return ""
	}
}

// channelsSeparator stands between the channels of a delivery.SetConsent.
const channelsSeparator = ";"

// closeTogether adds to each change of consent the other channels that it concerns.
func closeTogether(actions []delivery.Action, t tenant.Tenant) {
	for _, a := range actions {
		if a.Kind == delivery.SetConsent {
			setChannels(a.Value, t.ClosedWith(canonical.Channel(a.Value["channel"])))
		}
	}
}

// setChannels writes the channels of a change where there are several.
func setChannels(value map[string]string, channels []canonical.Channel) {
	if len(channels) < 2 {
		return
	}
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = string(c)
	}
	value["channels"] = strings.Join(names, channelsSeparator)
}

// withOptOuts returns actions with the opt-outs that are held of a person whom the CRM is not known to hold: it was told of none,
// or nobody was there to write them to. They come behind the person and before the message, and only to a CRM that the tenant's
// rules tell of consent. One that is told twice changes nothing: the time of the event decides. What was closed together is told
// together.
func withOptOuts(actions []delivery.Action, crm string, set rules.Set, head conversation.Head) []delivery.Action {
	if head.LinkedTo(crm) || !set.Asks(crm, delivery.SetConsent) {
		return actions
	}
	at := slices.IndexFunc(actions, func(a delivery.Action) bool { return a.Kind != delivery.EnsurePerson })
	if at < 0 {
		at = len(actions)
	}
	together := map[time.Time][]canonical.Channel{}
	for _, channel := range slices.Sorted(maps.Keys(head.Consent)) {
		held := head.Consent[channel]
		told := slices.ContainsFunc(actions, func(a delivery.Action) bool {
			return a.Kind == delivery.SetConsent && slices.Contains(strings.Split(cmp.Or(a.Value["channels"], a.Value["channel"]), channelsSeparator), string(channel))
		})
		if held.State == consent.OptedOut && !told {
			since := held.At.UTC()
			together[since] = append(together[since], channel)
		}
	}
	for _, since := range slices.SortedFunc(maps.Keys(together), time.Time.Compare) {
		value := map[string]string{"channel": string(together[since][0]), "state": consent.OptedOut, "at": since.Format(time.RFC3339Nano)}
		setChannels(value, together[since])
		actions = slices.Insert(actions, at, delivery.Action{Kind: delivery.SetConsent, Value: value})
	}
	return actions
}
