package dynamics

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// read reads persons and returns those who are there and stand for themselves, by where they are. Who cannot be read is there with the reason.
func (e *environment) read(ctx context.Context, all []string) map[string]*person {
	rows := make([][]part, len(all))
	for i, who := range all {
		rows[i] = []part{getPerson(who, setOf(who))}
	}
	found := make(map[string]*person, len(all))
	for i, replies := range e.exchange(ctx, rows) {
		var p person
		if p.unread = replies[0].read(&p); !missing(p.unread) && p.heir() == "" {
			found[all[i]] = &p
		}
	}
	return found
}

// amend changes what persons say, in two calls for all steps, by the members that change makes of what a person says, none if it says that
// already. It keeps what it changes in held, for the next step about the person. A row that somebody else wrote to meanwhile is not written:
// the step is tried again.
func (e *environment) amend(ctx context.Context, w batch, others *connector.Others, change func(r Request, held *person) (connector.Object, error)) {
	connector.Amendment[person]{
		Who:  func(i int) string { return w.Request(i).Who },
		Also: others.Of,
		Read: func(all []string) (map[string]*person, error) { return e.read(ctx, all), nil },
		Change: func(i int, held *person) (bool, error) {
			switch {
			case held == nil:
				return false, fault.New(fault.Permanent, codeNotFound, nil)
			case held.unread != nil: // nobody else waits for who cannot be read
				return false, held.unread
			}
			members, err := change(w.Request(i), held)
			held.changed = append(held.changed, members...)
			return len(members) > 0, err
		},
		Write: func(all []string, changed []*person) []error {
			rows, errs := make([][]part, len(all)), make([]error, len(all))
			for i, who := range all {
				rows[i] = []part{held(who, changed[i].ETag, distinct(changed[i].changed))}
			}
			for i, replies := range e.exchange(ctx, rows) {
				errs[i] = replies[0].err
			}
			return errs
		},
		Gone: missing,
		Conclude: func(i int, err error) {
			if err = others.Outcome(i, err); err == nil {
				w.Succeed(i, connector.ResultOthers, others.Count(i))
				return
			}
			e.failed(ctx, w, i, err)
		},
	}.Make(w.Len())
}

// failed concludes a step about a person that failed. A person who is gone is another one, once.
func (e *environment) failed(ctx context.Context, w batch, i int, err error) {
	r := w.Request(i)
	switch {
	case !missing(err):
		w.Fail(i, r.ofWork(e.explained(ctx, err)))
	case r.Kind == connector.StepName, r.Kind == connector.StepNumber: // who is gone needs none
		w.Succeed(i)
	case r.Gone != "":
		w.Fail(i, fault.New(fault.Permanent, "dynamics_person_gone", err))
	default:
		w.Succeed(i, connector.ResultGone, r.Who)
	}
}

// distinct returns members of which each has the value that was written last: several steps may have changed one.
func distinct(members connector.Object) connector.Object {
	at := map[any]int{}
	var out connector.Object
	for i := 0; i+1 < len(members); i += 2 {
		if k, ok := at[members[i]]; ok {
			out[k+1] = members[i+1]
			continue
		}
		at[members[i]] = len(out)
		out = append(out, members[i], members[i+1])
	}
	return out
}

// consent writes consent changes where they are newer than what the persons say: on whom each is about, and on all others who have the number.
// It is the number that is closed, whoever it is kept with.
func (e *environment) consent(ctx context.Context, w batch) {
	others := connector.FindOthers(w, func(r Request) (delivery.Person, string) { return r.Delivery.Person, r.Who }, func(of delivery.Person) (all []string, err error) {
		for _, digits := range connector.SearchDigits(of.Phone) {
			found, err := e.withPhone(ctx, of, digits)
			if err != nil {
				return nil, err
			}
			for _, p := range found {
				all = append(all, p.who())
			}
		}
		return all, nil
	})
	e.amend(ctx, w, others, func(r Request, held *person) (connector.Object, error) {
		channels, news, sensible := connector.PermissionOf(r.Action.Value)
		if !sensible {
			return nil, fault.New(fault.Permanent, "dynamics_consent_invalid", nil)
		}
		permissions := connector.DecodePermissions(held.Consent)
		if !permissions.ApplyAll(channels, news) {
			return nil, nil
		}
		held.Consent = permissions.Encode()
		out, newest := permissions.Summary()
		var closed any // null clears it
		if len(out) > 0 {
			closed = connector.Cut(strings.Join(out, ";"), maxColumn)
		}
		return connector.Object{
			"msg_consent", held.Consent, "msg_optout", len(out) > 0, "msg_optoutat", connector.Instant(newest), "msg_optoutchannels", closed,
		}, nil
	})
}

// replied shows on persons that they answered, and tells the environment's own automation to stop. A person who replied later by now is left
// alone: that reply's own delivery does it all.
func (e *environment) replied(ctx context.Context, w batch) {
	e.amend(ctx, w, nil, func(r Request, held *person) (connector.Object, error) {
		reply, sensible := connector.ReplyOf(r.Delivery.Actions)
		if !sensible || !reply.Any() {
			return nil, fault.New(fault.Permanent, "dynamics_reply_invalid", nil)
		}
		at, last := reply.At.Truncate(time.Second), instant(held.LastReply)
		if last.After(at) {
			return nil, nil
		}
		var members connector.Object
		if reply.Mark && !last.Equal(at) {
			held.LastReply = connector.Instant(at)
			members = append(members, "msg_lastreplyat", held.LastReply)
		}
		if reply.Cancel && (len(members) > 0 || !held.Stop) { // with a new reply always: the automation may be clearing it by now
			held.Stop = true
			members = append(members, "msg_stopautomation", true)
		}
		return members, nil
	})
}

// number writes the number that persons have now where they still show the one that they had.
func (e *environment) number(ctx context.Context, w batch) {
	e.amend(ctx, w, nil, func(r Request, held *person) (connector.Object, error) {
		var members connector.Object
		in := connector.RegionOf(r.Delivery.Person.Region, held.Country)
		for _, column := range []struct {
			name  string
			value *string
		}{{"mobilephone", &held.Mobile}, {"telephone1", &held.Telephone1}, {"telephone2", &held.Telephone2}, {"telephone3", &held.Telephone3}} {
			if connector.SameNumber(r.Action.Value["from"], in, *column.value) {
				*column.value = r.Action.Value["to"]
				members = append(members, column.name, *column.value)
			}
		}
		return members, nil
	})
}

// name gives persons a name that have none. What somebody has named is left alone.
func (e *environment) name(ctx context.Context, w batch) {
	e.amend(ctx, w, nil, func(r Request, held *person) (connector.Object, error) {
		if named(r.Delivery, *held) {
			return nil, nil
		}
		held.FirstName, held.LastName = nameOf(r.Delivery)
		var first any // null takes the number away
		if held.FirstName != "" {
			first = held.FirstName
		}
		return connector.Object{"firstname", first, "lastname", held.LastName}, nil
	})
}

// owner finds whose the persons are. Who is the application user's is nobody's, and so is a team's.
func (e *environment) owner(ctx context.Context, w batch) {
	rows := make([][]part, w.Len())
	for i := range rows {
		who := w.Request(i).Who
		rows[i] = []part{get("WhoAmI"), getPerson(who, setOf(who))}
	}
	for i, replies := range e.exchange(ctx, rows) {
		var us bearer
		var p person
		err := cmp.Or(replies[0].read(&us), replies[1].read(&p))
		switch {
		case missing(err): // deleted by now
			w.Succeed(i)
		case err != nil:
			w.Fail(i, err)
		case w.Request(i).Notice.HeldBefore(instant(p.Created)):
			w.Succeed(i, connector.ResultBefore, strconv.FormatBool(true))
		case p.User == us.UserID:
			w.Succeed(i)
		default:
			w.Succeed(i, connector.ResultOwner, p.User)
		}
	}
}

// tell makes the tasks that tell users something, each by its key: one that is there is left alone.
func (e *environment) tell(ctx context.Context, w batch) {
	rows := make([][]part, w.Len())
	for i := range rows {
		r := w.Request(i)
		if r.Notice.Theirs && r.Notice.Owner == "" {
			e.untold(ctx, w, i)
			continue
		}
		rows[i] = noticeRow(r.Notice, r.Who)
	}
	for i, replies := range e.exchange(ctx, rows) {
		if len(replies) == 0 {
			continue
		}
		r := w.Request(i)
		nobody, err := e.toOther(ctx, r, firstOf(replies))
		switch {
		case nobody && (err == nil || exists(err)):
			e.untold(ctx, w, i)
		case err == nil, exists(err):
			w.Succeed(i)
		case r.Notice.Asked:
			e.failed(ctx, w, i, err)
		case missing(err) && r.Who != "": // whom it is about is gone
			w.Succeed(i)
		default:
			w.Fail(i, e.explained(ctx, err))
		}
	}
}

// toOther returns what became of a notice, err being what its owner's task was answered with: where they have left it goes to somebody else.
func (e *environment) toOther(ctx context.Context, r Request, err error) (nobody bool, _ error) {
	owner, first := r.Notice.Owner, true
	return r.Notice.Write(func(n connector.Notice) error {
		if first {
			first = false
			return err
		}
		owner = n.Owner
		return firstOf(e.exchange(ctx, [][]part{noticeRow(n, r.Who)})[0])
	}, func(err error) bool { return ofUser(err, owner) })
}

// untold concludes the step of a notice that no user is told by.
func (e *environment) untold(ctx context.Context, w batch, i int) {
	connector.Untold(ctx, e.crm.options.Logger, e.crm.options.Meter, w.Request(i).Delivery)
	w.Succeed(i, connector.ResultUntold, "true")
}

func noticeRow(n connector.Notice, who string) []part {
	return []part{fresh(byKey(tasks, noticeKey, n.Key), newTask(n, who))}
}

// newTask returns a task that is to be done.
func newTask(n connector.Notice, who string) connector.Object {
	members := connector.Object{
		"subject", connector.Cut(n.Subject, maxSubject), "description", connector.Cut(n.Text, maxDescription), "prioritycode", priority(n.Priority),
		"scheduledend", connector.Instant(n.Due),
	}
	if who != "" {
		members = append(members, regarding(who, setOf(who), "task")...)
	}
	if n.Owner != "" {
		members = append(members, bind("ownerid", n.Owner)...)
	}
	return members
}
