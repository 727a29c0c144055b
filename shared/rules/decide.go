package rules

import (
	"maps"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// Facts is all that a decision may depend on.
type Facts struct {
	Type      canonical.Type
	Direction canonical.Direction
	Channel   canonical.Channel
	Keyword   string          // stop, start, help or ""
	Consent   string          // what a stop or start amounts to: opted_out, opted_in; "" when a newer one had been recorded
	At        time.Time       // event time
	Summary   string          // what the person said, for a new record's description
	Known     map[string]bool // by CRM binding
	Replied   time.Time       // event time of the reply when the event shows that an outreach was answered, else zero
	ByHand    bool            // somebody of ours wrote it, and no program
}

// Decision is what follows for each CRM, in the order in which the CRMs were given. A CRM that nothing follows for is left out.
type Decision struct {
	CRMs    []CRMDecision            `json:"crms,omitempty"`
	Matched []delivery.RuleReference `json:"matched,omitempty"` // every rule that matched for any CRM, also those without an action
}

// CRMDecision is what one CRM is to do, and which rules asked for it.
type CRMDecision struct {
	CRM     string                   `json:"crm"`
	Actions []delivery.Action        `json:"actions"`
	Why     []delivery.RuleReference `json:"why"`
}

// Ordered is the engine of this release. Its zero value is ready.
type Ordered struct{}

// Decide walks the rules once for each CRM. It is pure: the same input gives the same decision. An action of a kind is taken
// once a CRM, from the first rule that asks for it. A consent that does not change is not set. Whatever rules ask first, the
// person is made before all else, then the consent is set, the message told, what a reply leads to done, and at last the work that the
// rules ask for.
func (Ordered) Decide(s Set, version int, crms []string, f Facts) Decision {
	turns := []delivery.Kind{
		delivery.EnsurePerson, delivery.SetConsent, delivery.LogActivity, delivery.MarkReplied, delivery.CancelSequences, delivery.RaiseStatus,
		delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation,
	}
	var d Decision
	for _, crm := range crms {
		c := CRMDecision{CRM: crm}
		for _, r := range s.Rules {
			if !r.When.holds(f, crm) {
				continue
			}
			reference := delivery.RuleReference{Rule: r.ID, Version: version}
			if !slices.Contains(d.Matched, reference) {
				d.Matched = append(d.Matched, reference)
			}
			if c.take(r.Then, f) {
				c.Why = append(c.Why, reference)
			}
			if r.Stop {
				break
			}
		}
		slices.SortStableFunc(c.Actions, func(a, b delivery.Action) int { return slices.Index(turns, a.Kind) - slices.Index(turns, b.Kind) })
		if len(c.Actions) > 0 {
			d.CRMs = append(d.CRMs, c)
		}
	}
	return d
}

func (w When) holds(f Facts, crm string) bool {
	return among(w.Types, f.Type) && among(w.Directions, f.Direction) && among(w.Channels, f.Channel) &&
		among(w.Keywords, f.Keyword) && (w.Known == nil || *w.Known == f.Known[crm]) &&
		(w.Reply == nil || *w.Reply == !f.Replied.IsZero()) && (w.ByHand == nil || *w.ByHand == f.ByHand)
}

func among[T comparable](values []T, value T) bool {
	return len(values) == 0 || slices.Contains(values, value)
}

// take adds the actions meant for this CRM that it does not have yet and reports whether there was one.
func (c *CRMDecision) take(actions []Action, f Facts) bool {
	taken := false
	for _, a := range actions {
		held := slices.ContainsFunc(c.Actions, func(held delivery.Action) bool { return held.Kind == a.Kind })
		if held || a.CRM != AnyCRM && a.CRM != c.CRM || a.Kind == delivery.SetConsent && f.Consent == "" {
			continue
		}
		value := values(a.Kind, f)
		switch {
		case a.Kind.Works():
			value = maps.Clone(a.Value)
		case len(a.Value) > 0 && value != nil:
			maps.Copy(value, a.Value)
		}
		c.Actions, taken = append(c.Actions, delivery.Action{Kind: a.Kind, Value: value}), true
	}
	return taken
}

// values returns what an action carries by itself.
func values(kind delivery.Kind, f Facts) map[string]string {
	switch kind {
	case delivery.EnsurePerson:
		return map[string]string{"source": "messaging", "channel": string(f.Channel), "description": f.Summary}
	case delivery.SetConsent:
		return map[string]string{"channel": string(f.Channel), "state": f.Consent, "at": f.At.UTC().Format(time.RFC3339Nano)}
	case delivery.MarkReplied:
		return map[string]string{"at": f.Replied.UTC().Format(time.RFC3339Nano)}
	case delivery.CancelSequences:
		at := f.Replied
		if f.ByHand && f.At.After(at) {
			at = f.At
		}
		return map[string]string{"at": at.UTC().Format(time.RFC3339Nano)}
	default:
		return nil
	}
}
