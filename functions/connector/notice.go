package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/telemetry"
)

// Notice is a task that tells a user of the CRM something, once.
type Notice struct {
	Key     string // names it; 64 hex digits
	Subject string // no other notice has it, unless it is about another person
	Text    string
	Due     time.Time
	Person  bool      // it is about the delivery's person, who was made
	Held    bool      // it is on the record of the delivery's person, whom the CRM holds
	Theirs  bool      // it goes to that person's owner; there is none of whom the CRM does not hold
	Later   bool      // there is none, either, of whom nobody owns: another delivery tells
	Since   time.Time // there is none of a person whom the CRM held before, if it is not zero
	Looks   bool      // it may be there
	Owner   string    // to whom else it goes: a user of the CRM, "" for nobody
	StandIn string    // to whom where Owner is refused

	Priority string // delivery.Low, delivery.Normal, or else high
	Asked    bool   // a rule asked for it, and not we: what is refused of it is told as that
}

// ToOwner returns a notice that goes to the owner of the person whom it is about, to whom it goes otherwise where there is none, and where the
// CRM refuses the owner.
func (n Notice) ToOwner(owner string) Notice {
	if owner != "" {
		n.StandIn, n.Owner = n.Owner, owner
	}
	return n
}

// Write has make write a notice for its owner. Where the CRM refuses one who has left it goes to the stand-in, and where it refuses that one, too,
// to whoever makes tasks of nobody's: a task is on the record then, and nobody reports that it went to no user.
func (n Notice) Write(make func(Notice) error, ofOwner func(error) bool) (nobody bool, err error) {
	for {
		if err = make(n); err == nil || n.Asked || n.Owner == "" || !ofOwner(err) {
			return nobody, err
		}
		n.Owner, n.StandIn, nobody = n.StandIn, "", n.StandIn == ""
	}
}

// NoticeOf returns what a delivery wants told. That somebody is new is told once a person, by whatever delivery.
func NoticeOf(d delivery.Delivery) (n Notice, wanted bool) {
	about := ""
	for _, a := range d.Actions {
		switch {
		case a.Kind == delivery.Notify:
			about, n = a.Value["about"], Notice{
				Subject: a.Value["subject"], Text: a.Value["text"], Owner: a.Value[delivery.Owner],
				Held: a.Value[delivery.OfWhom] == delivery.Held, Theirs: a.Value[delivery.To] == delivery.TheirOwner,
			}
			if made, err := time.Parse(time.RFC3339, a.Value[delivery.MadeSince]); err == nil {
				n.Subject, n.Since = newLead(d), made
			}
		case a.Kind == delivery.EnsurePerson && a.Value[delivery.Tell] != "":
			_, _, said := Ensured(d)
			about = "person/" + d.Person.Key
			n = Notice{
				Subject: newLead(d), Text: said, Person: true, Theirs: true, Owner: a.Value[delivery.StandIn], Later: a.Value[delivery.Later] != "",
			}
		}
	}
	sum := sha256.Sum256([]byte(d.Event.TenantID + "/notice/" + about))
	n.Key, n.Due = hex.EncodeToString(sum[:]), d.Event.Timestamp
	return n, about != ""
}

// Notice returns what a delivery wants told by now: made and told are the steps that make a person and that tell.
func (r Rounds) Notice(made, told string) (n Notice, wanted bool) {
	n, wanted = NoticeOf(r.Delivery)
	by := r.Result(made)[ResultMade]
	n.Looks = by == MadeBefore || !n.Since.IsZero()
	return n, wanted && (!n.Person || by != "") && !r.Finished(told)
}

// Tell returns the step that is next of a notice, and whom it is about, who being the person, "" for nobody: owner, which finds whose a person is, then told,
// whose notice goes to that owner. It is "" if there is nobody to be told of.
func (r Rounds) Tell(n Notice, who, owner, told string) (step string, _ Notice, about string) {
	if n.Theirs {
		known := r.Result(owner)
		switch {
		case who == "": // nobody is held
			return "", n, ""
		case known == nil:
			return owner, n, who
		case known[ResultBefore] != "" || n.Later && known[ResultOwner] == "":
			return "", n, ""
		}
		n = n.ToOwner(known[ResultOwner])
	}
	if !n.Held && !n.Person {
		who = ""
	}
	return told, n, who
}

func newLead(d delivery.Delivery) string {
	return "New lead by " + ChannelLabel(d.Event.Channel) + ": " + CalledBy(d)
}

// skew is by how much a CRM's clock may be behind.
const skew = 2 * time.Minute

// HeldBefore reports whether a person whom a CRM made at a time is one whom it held before the notice's.
func (n Notice) HeldBefore(created time.Time) bool {
	return !n.Since.IsZero() && !created.IsZero() && created.Before(n.Since.Add(-skew))
}

// OwnerOf returns the user of the CRM whom a delivery gives the person to whom it makes, "" for the CRM's own rules.
func OwnerOf(d delivery.Delivery) string {
	for _, a := range d.Actions {
		if a.Kind == delivery.EnsurePerson {
			return a.Value[delivery.Owner]
		}
	}
	return ""
}

// WithoutOwner returns a delivery that leaves it to the CRM's own rules whose the person is whom it makes: for one that refuses the user.
func WithoutOwner(d delivery.Delivery) delivery.Delivery {
	actions := make([]delivery.Action, len(d.Actions))
	for i, a := range d.Actions {
		value := make(map[string]string, len(a.Value))
		for name, v := range a.Value {
			if a.Kind != delivery.EnsurePerson || name != delivery.Owner {
				value[name] = v
			}
		}
		actions[i] = delivery.Action{Kind: a.Kind, Value: value}
	}
	d.Actions = actions
	return d
}

// ResultUntold is, in the result of the step of a notice, "true" where no user of the CRM is told.
const ResultUntold = "untold"

// Untold tells that somebody is nobody's, new or waiting for an answer, and that there is nobody to be told of it.
func Untold(ctx context.Context, logger *slog.Logger, meter *telemetry.Meter, d delivery.Delivery) {
	logger.WarnContext(ctx, "nobody is told of a person: neither their owner nor who stands in on their line is a user", slog.String("tenant", d.Event.TenantID),
		slog.String("crm", d.CRM), slog.String("line", d.Event.LineID))
	meter.Count("LeadsUntold", 1, telemetry.Label{Name: "tenant", Value: d.Event.TenantID}, telemetry.Label{Name: "crm", Value: d.CRM})
}
