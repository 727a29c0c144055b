package router

import (
	"maps"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"
	"signalbox/shared/tenant"
)

// Why an event makes no lead, as its record says.
const (
	NoLeadShortCode    = "short_code"
	NoLeadAlphanumeric = "alphanumeric_sender"
	NoLeadOwnLine      = "own_line"
	NoLeadStaff        = "staff"
	NoLeadGroup        = "group_chat"
	NoLeadAutoReply    = "auto_reply"
	NoLeadHistorical   = "historical" // said before we were there: nobody waits for anything
	NoLeadOptOut       = "opt_out"
	NoLeadCap          = "daily_cap"
)

// noLead returns why the sender of an inbound event is nobody to sell to, "" if nothing says so.
func noLead(e *canonical.Event, d *Decision, t tenant.Tenant) string {
	from := e.Sender
	switch address := from.ChannelAddress; {
	case e.Direction != canonical.Inbound:
		return ""
	case t.HasLine(from.Phone) || t.HasLine(address):
		return NoLeadOwnLine
	case slices.Contains(t.Leads.Staff, from.Phone):
		return NoLeadStaff
	case len(e.Participants) > 2:
		return NoLeadGroup
	case e.Channel != canonical.SMS || from.Phone != "" || address == "": // elsewhere a person may be known by anything
	case strings.Trim(address, "0123456789") == "":
		return NoLeadShortCode
	default:
		return NoLeadAlphanumeric
	}
	switch {
	case e.Flags.Historical:
		return NoLeadHistorical
	case d.AutoReply:
		return NoLeadAutoReply
	case d.Consent != nil && d.Consent.State == consent.OptedOut: // whoever is made of them later is marked
		return NoLeadOptOut
	default:
		return ""
	}
}

// makesNobody reports whether an event is of somebody held alone, whatever is asked for: what we sent says nothing of who got it, and
// a reaction, an edit and a retraction are about a message that does, unless a rule wants the person.
func makesNobody(e *canonical.Event, actions []delivery.Action) bool {
	switch e.Type {
	case canonical.TypeReaction, canonical.TypeEdit, canonical.TypeRetract:
		asked := slices.ContainsFunc(actions, func(a delivery.Action) bool { return a.Kind == delivery.EnsurePerson })
		return e.Direction != canonical.Inbound || !asked
	default:
		return e.Direction != canonical.Inbound
	}
}

// counts reports whether whoever an event makes counts as a new lead of its line, which somebody gets.
func counts(e *canonical.Event) bool { return e.Direction == canonical.Inbound }

// makesLead reports whether a decision has a CRM make somebody whom it is not known to hold.
func makesLead(decided rules.Decision, head conversation.Head) bool {
	return slices.ContainsFunc(decided.CRMs, func(c rules.CRMDecision) bool {
		return !head.LinkedTo(c.CRM) && slices.ContainsFunc(c.Actions, delivery.Action.MakesPerson)
	})
}

// withOwner returns actions that give whom they make to a user of a CRM, and tell of it.
func withOwner(actions []delivery.Action, made given, crm string) []delivery.Action {
	actions = slices.Clone(actions)
	for i, a := range actions {
		if a.Kind != delivery.EnsurePerson {
			continue
		}
		value := maps.Clone(a.Value)
		if user := made.owner.Users[crm]; user != "" {
			value[delivery.Owner] = user
		}
		if made.tell {
			value[delivery.Tell] = "owner"
			if made.later > 0 && value[delivery.Owner] == "" {
				value[delivery.Later] = "true"
			}
			if user := made.standIn.Users[crm]; user != "" {
				value[delivery.StandIn] = user
			}
		}
		actions[i].Value = value
	}
	return actions
}

// withoutLead returns actions that make nobody: what was said is told of a person whom the CRM turns out to hold.
func withoutLead(actions []delivery.Action, made given, crm string) []delivery.Action {
	var kept []delivery.Action
	for _, a := range actions {
		switch a.Kind {
		case delivery.EnsurePerson:
			continue
		case delivery.LogActivity:
			a.Value = map[string]string{delivery.OfWhom: delivery.Held} // it takes no other
		default:
		}
		kept = append(kept, a)
	}
	if made.notice != nil {
		notice := maps.Clone(made.notice)
		if user := made.standIn.Users[crm]; user != "" {
			notice[delivery.Owner] = user
		}
		kept = append(kept, delivery.Action{Kind: delivery.Notify, Value: notice})
	}
	return kept
}
