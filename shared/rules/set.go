// Package rules decides what each CRM is to do about an event: a tenant's ordered list of conditions and actions, and the
// pure function that walks it. A set is data, written in the tenant's file, checked when it is applied, and versioned with
// it; each action remembers the rule that asked for it.
package rules

import (
	"fmt"
	"regexp"
	"slices"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/delivery"
)

// AnyCRM as the CRM of an action means every CRM the tenant has.
const AnyCRM = "*"

// Set is a tenant's rules in the order in which they are tried. Its version is that of the tenant's configuration.
type Set struct {
	Rules []Rule `json:"rules"`
}

// Rule is one condition and what follows from it. Rules are walked once for each CRM, since what a CRM holds differs.
type Rule struct {
	ID   string   `json:"id"` // what a decision is explained by: lower-case words with hyphens, unique in the set
	When When     `json:"when"`
	Then []Action `json:"then,omitempty"`
	Stop bool     `json:"stop,omitempty"` // no later rule is tried when this one matches
}

// When is a condition: everything that is said must hold, and of several values one. What is not said is not asked.
type When struct {
	Types      []canonical.Type      `json:"types,omitempty"`
	Directions []canonical.Direction `json:"directions,omitempty"`
	Channels   []canonical.Channel   `json:"channels,omitempty"`
	Known      *bool                 `json:"known,omitempty"`    // whether the CRM is known to hold the person
	Keywords   []string              `json:"keywords,omitempty"` // stop, start, help: what the person asked for with the whole message
	Reply      *bool                 `json:"reply,omitempty"`    // whether the event shows that an outreach was answered
	ByHand     *bool                 `json:"byHand,omitempty"`   // whether somebody of ours wrote it: no campaign, bot, automatic reply or sequence
}

// Action is one intent for one CRM, or for all of them.
type Action struct {
	CRM   string            `json:"crm"` // a binding's name, or "*"
	Kind  delivery.Kind     `json:"kind"`
	Value map[string]string `json:"value,omitempty"` // overrides what the event gives
}

// Asks reports whether a rule of the set asks crm for an action of this kind.
func (s Set) Asks(crm string, kind delivery.Kind) bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool {
		return slices.ContainsFunc(r.Then, func(a Action) bool { return a.Kind == kind && (a.CRM == AnyCRM || a.CRM == crm) })
	})
}

// Work returns the actions of work that rules of the set ask crm for.
func (s Set) Work(crm string) (all []delivery.Action) {
	for _, r := range s.Rules {
		for _, a := range r.Then {
			if a.Kind.Works() && (a.CRM == AnyCRM || a.CRM == crm) {
				all = append(all, delivery.Action{Kind: a.Kind, Value: a.Value})
			}
		}
	}
	return all
}

// Default returns the rules of a tenant that names none: an unknown sender becomes a person; every message, whoever sent it, is on the
// timeline, and so is what reacts to it, changes it or takes it back; the consent keywords and an opt-out that a provider tells of are a
// consent change; what becomes of sent messages is shown. The first answer to what we sent ends the sequences it may belong to, and so
// does what somebody of ours writes by hand.
func Default() Set {
	unknown, yes, inbound := false, true, []canonical.Direction{canonical.Inbound}
	messages := []canonical.Type{canonical.TypeMessage, canonical.TypeConsent}
	do := func(kinds ...delivery.Kind) []Action {
		var actions []Action
		for _, kind := range kinds {
			action := Action{CRM: AnyCRM, Kind: kind}
			if kind == delivery.EnsurePerson {
				action.Value = map[string]string{"source": "messaging"}
			}
			actions = append(actions, action)
		}
		return actions
	}
	return Set{Rules: []Rule{
		{ID: "unknown-sender", When: When{Types: messages, Directions: inbound, Known: &unknown}, Then: do(delivery.EnsurePerson)},
		// Of any direction: an outreach that is told of after its answer arrived says so itself.
		{ID: "reply", When: When{Reply: &yes}, Then: do(delivery.MarkReplied, delivery.CancelSequences)},
		{ID: "answered", When: When{ByHand: &yes}, Then: do(delivery.CancelSequences)},
		{
			ID: "consent-keyword", When: When{Types: messages, Directions: inbound, Keywords: []string{consent.Stop, consent.Start}},
			Then: do(delivery.SetConsent, delivery.LogActivity), Stop: true,
		},
		{
			ID: "help-keyword", When: When{Types: messages, Directions: inbound, Keywords: []string{consent.Help}},
			Then: do(delivery.LogActivity), Stop: true,
		},
		{ID: "message", When: When{Types: messages, Directions: inbound}, Then: do(delivery.LogActivity)},
		{
			ID:   "sent",
			When: When{Types: []canonical.Type{canonical.TypeMessage}, Directions: []canonical.Direction{canonical.Outbound}},
			Then: do(delivery.LogActivity),
		},
		{
			ID: "aside", When: When{Types: []canonical.Type{canonical.TypeReaction, canonical.TypeEdit, canonical.TypeRetract}},
			Then: do(delivery.LogActivity),
		},
		// A provider refused to send, since the person had opted out, or somebody of ours entered what they were told. The person wrote
		// nothing now, and nobody is made because of it.
		{
			ID: "refused-recipient", When: When{
				Types: []canonical.Type{canonical.TypeConsent}, Directions: []canonical.Direction{canonical.Status}, Keywords: []string{consent.Stop, consent.Start},
			},
			Then: do(delivery.SetConsent),
		},
		{ID: "receipt", When: When{Types: []canonical.Type{canonical.TypeReceipt}}, Then: do(delivery.RaiseStatus)},
	}}
}

// Problem is one thing that is wrong with a set. Path is relative to the set.
type Problem struct{ Path, Reason string }

// maxRules bounds what one event can cost.
const maxRules = 100

// Validate lists everything that is wrong with a set, given the names of the tenant's CRM bindings and the channels of its lines.
func (s Set) Validate(crms []string, channels []canonical.Channel) []Problem {
	v := &validation{crms: crms, channels: channels, ids: map[string]bool{}}
	if len(s.Rules) > maxRules {
		v.add("rules", fmt.Sprintf("has %d rules, more than %d", len(s.Rules), maxRules))
		return v.problems
	}
	for i, r := range s.Rules {
		v.rule(fmt.Sprintf("rules[%d]", i), r)
	}
	v.replies(s.Rules)
	return v.problems
}

// replies wants that a reply which ends sequences marks the person too, and the other way round where anything ends sequences: CRMs tell
// an old reply from a new one by the mark, and leave the end of sequences to the newest. What we wrote by hand is no reply, and leaves no
// such mark.
func (v *validation) replies(rules []Rule) {
	asks := func(r Rule, kind delivery.Kind, crm string) bool {
		return slices.ContainsFunc(r.Then, func(a Action) bool { return a.Kind == kind && a.CRM == crm })
	}
	cancels := slices.ContainsFunc(rules, func(r Rule) bool {
		return slices.ContainsFunc(r.Then, func(a Action) bool { return a.Kind == delivery.CancelSequences })
	})
	for i, r := range rules {
		for k, a := range r.Then {
			path := fmt.Sprintf("rules[%d].then[%d].kind", i, k)
			if a.Kind == delivery.CancelSequences && says(r.When.Reply) && !asks(r, delivery.MarkReplied, a.CRM) {
				v.add(path, "cancel_sequences needs mark_replied for the same CRM in the same rule")
			}
			if a.Kind == delivery.MarkReplied && cancels && !asks(r, delivery.CancelSequences, a.CRM) {
				v.add(path, "mark_replied needs cancel_sequences for the same CRM in the same rule, as there are rules that cancel")
			}
		}
	}
}

type validation struct {
	crms     []string
	channels []canonical.Channel
	ids      map[string]bool
	problems []Problem
}

func (v *validation) add(path, reason string) { v.problems = append(v.problems, Problem{path, reason}) }

func (v *validation) rule(path string, r Rule) {
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`).MatchString(r.ID):
		v.add(path+".id", "is not 1 to 63 lower-case letters, digits and hyphens, a letter first")
	case v.ids[r.ID]:
		v.add(path+".id", "is the id of an earlier rule")
	}
	v.ids[r.ID] = true
	oneOf(v, path+".when.types", r.When.Types, canonical.TypeMessage, canonical.TypeEdit, canonical.TypeRetract,
		canonical.TypeReceipt, canonical.TypeReaction, canonical.TypeConsent, canonical.TypeChange)
	oneOf(v, path+".when.directions", r.When.Directions, canonical.Inbound, canonical.Outbound, canonical.Status)
	oneOf(v, path+".when.channels", r.When.Channels, v.channels...)
	oneOf(v, path+".when.keywords", r.When.Keywords, consent.Stop, consent.Start, consent.Help)
	if len(r.Then) == 0 && !r.Stop {
		v.add(path+".then", "is empty and the rule does not stop: it would do nothing")
	}
	for i, a := range r.Then {
		v.action(fmt.Sprintf("%s.then[%d]", path, i), a, r.When)
	}
}

func (v *validation) action(path string, a Action, when When) {
	if a.CRM != AnyCRM && !slices.Contains(v.crms, a.CRM) {
		v.add(path+".crm", "is neither a CRM of this tenant nor \"*\"")
	}
	receipts := len(when.Types) == 1 && when.Types[0] == canonical.TypeReceipt
	if receipts && a.Kind != delivery.RaiseStatus {
		v.add(path+".kind", "is not raise_status, which is all that becomes of a receipt")
	}
	var allowed []string
	switch a.Kind {
	case delivery.EnsurePerson:
		allowed = []string{"source", "channel", "description"}
	case delivery.LogActivity:
	case delivery.RaiseStatus:
		v.raises(path, when)
	case delivery.MarkReplied, delivery.CancelSequences:
		// Without the condition the action would have no time.
		switch by := says(when.ByHand) && a.Kind == delivery.CancelSequences; {
		case says(when.Reply) || by:
		case a.Kind == delivery.MarkReplied:
			v.add(path+".kind", "mark_replied needs when.reply of true")
		default:
			v.add(path+".kind", "cancel_sequences needs when.reply or when.byHand of true")
		}
	case delivery.SetConsent:
		// Without the condition the action would have no state to set.
		if len(when.Keywords) == 0 || slices.Contains(when.Keywords, consent.Help) {
			v.add(path+".kind", "set_consent needs when.keywords of stop and start only")
		}
	case delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation:
		v.work(path, a)
		return
	default:
		v.add(path+".kind", "is not ensure_person, log_activity, set_consent, mark_replied, cancel_sequences, raise_status, open_case, create_task, set_status or start_automation")
		return
	}
	for name := range a.Value {
		if !slices.Contains(allowed, name) {
			v.add(path+".value", "holds a name that this kind of action does not take")
			return
		}
	}
}

// raises checks the condition of an action that raises a status.
func (v *validation) raises(path string, when When) {
	if len(when.Types) != 1 || when.Types[0] != canonical.TypeReceipt { // only a receipt says how far a message got
		v.add(path+".kind", "raise_status needs when.types of receipt only")
	}
	// The receipts lane looks at no thread and at no text, so that a flood of receipts costs next to nothing.
	if when.Known != nil || len(when.Keywords) > 0 || when.Reply != nil || when.ByHand != nil {
		v.add(path+".kind", "raise_status takes neither when.known nor when.keywords nor when.reply nor when.byHand")
	}
}

// says reports whether a condition is that something is so.
func says(condition *bool) bool { return condition != nil && *condition }

// oneOf refuses values that are not known and lists that are there and empty: an empty list would read as "never" and work as "always".
func oneOf[T ~string](v *validation, path string, values []T, known ...T) {
	if values != nil && len(values) == 0 {
		v.add(path, "is empty: leave it out or name a value")
	}
	for i, value := range values {
		if !slices.Contains(known, value) {
			v.add(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("is not one of %v", known))
		}
	}
}
