package router

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/deadletter"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
)

// threadMember is the member of a timer's metadata that names the thread whose conversation it looks after: that stays where it is when
// its person's threads become one.
const threadMember = "thread"

// addClosing sets what looks after a conversation that a job opens. While it is open there is one: whoever is looked after finds what was
// said meanwhile, and is looked at again.
func (r *Router) addClosing(ctx context.Context, j *job) error {
	e := &j.event
	if j.states == nil || !j.states.opened[e.EventID] {
		return nil
	}
	thread, _ := json.Marshal(e.ThreadID) // a string
	closing := *e
	closing.Metadata = map[string]json.RawMessage{threadMember: thread}
	return r.addTimer(ctx, j, &closing, j.decision.Person.Key, silence, e.Timestamp.Add(j.tenant.TimelineOf(e.LineID).Close))
}

// closeSilent closes the conversation that a timer looks after, if nothing was said in it for long enough, and has CRMs show it. It leaves
// no record: a copy finds it closed, and has it shown again.
func (r *Router) closeSilent(ctx context.Context, j *job, person string) error {
	e := &j.event
	of := receipt.Conversation{Thread: e.ThreadID, Line: e.LineID, Channel: e.Channel}
	_ = json.Unmarshal(e.Metadata[threadMember], &of.Thread) // what cannot be read is the event's own
	t := j.tenant.TimelineOf(e.LineID)
	var closed bool
	var again time.Time
	_, err := conversation.UpdateStates(ctx, r.Store, e.TenantID, of.Thread, nil, func(c *conversation.Conversations) (changed bool) {
		closed, again = false, time.Time{}
		i := slices.IndexFunc(c.All, func(s conversation.State) bool { return s.Line == of.Line && s.Channel == of.Channel })
		if i < 0 || !isOpen(c.All[i]) {
			closed = i >= 0 && c.All[i].Status == conversation.Closed
			return false
		}
		c.All = slices.Clone(c.All)
		if closed = c.All[i].Close(time.Now(), t.Close); !closed {
			again = c.All[i].ClosesAt(t.Close)
		}
		return closed
	})
	switch {
	case err != nil:
		return err
	case !again.IsZero():
		timer, err := r.newTimer(ctx, e, person, silence, again)
		if err != nil {
			return err
		}
		return r.Store.Note(ctx, timer)
	case closed && t.Conversations:
		return r.showClosed(j, of)
	}
	return nil
}

// isOpen reports whether it is somebody's turn in a conversation.
func isOpen(s conversation.State) bool {
	return s.Status == conversation.WaitingForUs || s.Status == conversation.WaitingForThem
}

// showClosed makes what has each CRM show how a conversation stands.
func (*Router) showClosed(j *job, of receipt.Conversation) error {
	e := &j.event
	for _, crm := range j.tenant.CRMs {
		body, err := json.Marshal(receipt.Update{TenantID: e.TenantID, CRM: crm.Name, Channel: e.Channel, Conversation: &of})
		if err != nil {
			return fault.New(fault.Permanent, canonical.CodeInvalid, nil)
		}
		j.standings = append(j.standings, &outgoing{kind: crm.Kind, stage: deadletter.StageReceipts(crm.Name), from: &j.head, message: queue.Message{
			ID: regenerated(string(delivery.NewID(e.EventID, crm.Name)), j.generation), Group: e.TenantID, Body: body, Trace: cmp.Or(j.head.Trace, e.Trace.Traceparent),
		}})
	}
	return nil
}

// publishStandings sends what has CRMs show how conversations stand.
func (r *Router) publishStandings(ctx context.Context, jobs []*job) {
	var all []*outgoing
	for _, j := range open(jobs) {
		all = append(all, j.standings...)
	}
	to := r.Outbox
	to.Deliveries = r.Standings
	to.send(ctx, all)
	for _, j := range jobs {
		for _, x := range j.standings {
			j.err = cmp.Or(j.err, x.err)
		}
	}
}
