package router

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/identity"
	"signalbox/shared/store"
)

// CodeContended is the code of an event whose person's identifiers others kept changing meanwhile. It is retryable.
const CodeContended = "identity_contended"

// maxHops bounds how far a thread is followed that is part of another, and that of another again.
const maxHops = 8

// lead is where an identifier leads.
type lead struct {
	id        canonical.Identifier
	alias     store.Record       // to write over, of what is no phone
	thread    canonical.ThreadID // "" where it leads nowhere
	personKey string             // of who is first known by it, for a head that does not say
}

// findThread finds out whose thread a job is of: in j.moved, if it is another than the one in whose group it came. It returns the
// thread's head as it is then.
//
// What proves that two threads are of one person makes that of the event part of the other one's: it is worked on in the group of what
// is to be part, behind everything of it that was decided, and goes on in the group of what it becomes part of. So nothing of one
// identifier overtakes anything else of it.
func (r *Router) findThread(ctx context.Context, j *job, pepper canonical.Pepper, held store.Record) (store.Record, conversation.Head, error) {
	for range maxHops {
		head, err := conversation.Decode(held.Data)
		if err == nil {
			held, err = r.tryThread(ctx, j, pepper, held, &head)
		}
		if err == nil {
			return held, head, nil
		}
		if _, lost := errors.AsType[*store.ConflictError](err); !lost {
			return held, head, err
		}
		records, err := r.Store.Get(ctx, conversation.Key(j.event.TenantID, j.event.ThreadID))
		if err != nil {
			return held, head, err
		}
		held = records[0]
	}
	return held, conversation.Head{}, fault.New(fault.Retryable, CodeContended, nil)
}

// tryThread does what findThread does, unless somebody else writes meanwhile: then the error is a *store.ConflictError.
func (r *Router) tryThread(ctx context.Context, j *job, pepper canonical.Pepper, held store.Record, head *conversation.Head) (store.Record, error) {
	e := &j.event
	if e.Type == canonical.TypeIdentity {
		if err := r.closeNumbers(ctx, e, pepper); err != nil {
			return held, err
		}
	}
	if holder := head.HolderAt(e.Timestamp); holder != "" && holdsPhone(e, pepper) {
		root, err := r.root(ctx, e.TenantID, holder)
		if err != nil || root != e.ThreadID {
			j.moved = root
			return held, err
		}
	}
	if head.Joined != nil {
		if !isVerdict(e) || j.consent != nil { // the session that has the message stays where it is
			j.moved = head.Joined.Thread
		}
		return held, nil
	}
	unknown := unknownTo(e, pepper, head)
	if len(unknown) == 0 {
		return held, nil
	}
	leads, err := r.leads(ctx, e, pepper, unknown)
	if err != nil {
		return held, err
	}
	for _, l := range leads {
		if l.thread != "" && l.thread != e.ThreadID {
			j.moved = l.thread
			return held, r.join(ctx, j, pepper, held, *head, l)
		}
	}
	return r.bind(ctx, j, pepper, held, head, leads)
}

// proves reports whether a job may change whose its thread is, by the head that is held for it.
func (r *Router) proves(ctx context.Context, j *job) bool {
	if j.event.Type == canonical.TypeIdentity {
		return true
	}
	if len(j.event.Customer().Identifiers) == 0 {
		return false
	}
	pepper, err1 := r.Peppers.Pepper(ctx, j.event.TenantID)
	head, err2 := conversation.Decode(j.held[j.headKey()].Data)
	return err1 != nil || err2 != nil || head.Joined == nil && len(unknownTo(&j.event, pepper, &head)) > 0
}

// holdsPhone reports whether an event is of whoever has the phone number that its thread is named by now.
func holdsPhone(e *canonical.Event, pepper canonical.Pepper) bool {
	phone := e.Customer().Phone
	if e.Identity != nil && !slices.ContainsFunc(e.Identity.Current, func(i canonical.Identifier) bool { return isPhone(i) && i.Value == phone }) {
		return false
	}
	return phone != "" && canonical.NewThreadID(pepper, phone) == e.ThreadID
}

func isPhone(i canonical.Identifier) bool { return i.Kind == canonical.KindPhone }

// proofs returns what an event proves to be one person's. A number that was taken from somebody proves nothing.
func proofs(e *canonical.Event) []canonical.Identifier {
	switch {
	case e.Type != canonical.TypeIdentity:
		return identity.Of(e.Customer())
	case e.Identity == nil || e.Identity.Reason == canonical.Deactivated || e.Identity.Reason == canonical.Reassigned:
		return nil
	default:
		return identity.Proving(slices.Concat(e.Identity.Current, e.Identity.Previous))
	}
}

// maxProofs is how many identifiers of an event are looked at: what is written about them is one transaction.
const maxProofs = 16

// unknownTo returns the identifiers of an event of which its thread's head does not say that they lead there.
func unknownTo(e *canonical.Event, pepper canonical.Pepper, head *conversation.Head) []canonical.Identifier {
	all := proofs(e)
	unknown := slices.DeleteFunc(all[:min(len(all), maxProofs)], func(i canonical.Identifier) bool {
		return isPhone(i) && canonical.NewThreadID(pepper, i.Value) == e.ThreadID || slices.Contains(head.Aliases, canonical.AliasID(pepper, i))
	})
	return unknown
}

// leads returns where identifiers lead, by one read and those that follow what is part of something else.
func (r *Router) leads(ctx context.Context, e *canonical.Event, pepper canonical.Pepper, ids []canonical.Identifier) ([]lead, error) {
	var keys []store.Key
	for _, i := range ids {
		for _, key := range []store.Key{aliasKey(e, pepper, i), ownKey(e, pepper, i)} {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	records, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	held := make(map[store.Key]store.Record, len(keys))
	for _, record := range records {
		held[record.Key] = record
	}
	leads := make([]lead, len(ids))
	for n, i := range ids {
		leads[n] = lead{id: i, alias: held[aliasKey(e, pepper, i)]}
		if err := r.follow(ctx, e, pepper, &leads[n], held[ownKey(e, pepper, i)]); err != nil {
			return nil, err
		}
	}
	return leads, nil
}

func aliasKey(e *canonical.Event, pepper canonical.Pepper, i canonical.Identifier) store.Key {
	return identity.Key(e.TenantID, canonical.AliasID(pepper, i))
}

// ownKey returns the key of the head of the thread that an identifier names.
func ownKey(e *canonical.Event, pepper canonical.Pepper, i canonical.Identifier) store.Key {
	return conversation.Key(e.TenantID, canonical.NewThreadID(pepper, identity.Own(i)))
}

// follow finds where an identifier leads; own is the head of the thread that it names.
func (r *Router) follow(ctx context.Context, e *canonical.Event, pepper canonical.Pepper, l *lead, own store.Record) error {
	name := identity.Own(l.id)
	switch {
	case isPhone(l.id):
		l.personKey = canonical.PersonKey(pepper, name)
		if err := r.followPhone(ctx, e, l, own); err != nil {
			return err
		}
	case l.alias.Version > 0:
		a, err := identity.Decode(l.alias.Data)
		if err != nil {
			return err
		}
		l.thread = a.Thread
	case name != "" && own.Version > 0: // of a release before there were aliases
		l.thread, l.personKey = threadOf(own.Key), canonical.PersonKey(pepper, name)
	}
	if l.thread == "" {
		return nil
	}
	var err error
	l.thread, err = r.root(ctx, e.TenantID, l.thread)
	return err
}

// followPhone finds the thread of who had a phone number at the time of an event, and what had been the number until then at the time
// before it. A number whose thread has nothing leads nowhere.
func (r *Router) followPhone(ctx context.Context, e *canonical.Event, l *lead, own store.Record) error {
	head, err := conversation.Decode(own.Data)
	if err != nil {
		return err
	}
	at := e.Timestamp
	if wasBefore(e, l.id) {
		at = at.Add(-time.Nanosecond)
	}
	l.thread = threadOf(own.Key)
	if holder := head.HolderAt(at); holder != "" {
		l.thread = holder
	}
	if own.Version == 0 {
		began, err := r.began(ctx, e.TenantID, l.thread)
		if err != nil || began.IsZero() {
			l.thread = ""
			return err
		}
	}
	return nil
}

// wasBefore reports whether an identifier was the person's until the event.
func wasBefore(e *canonical.Event, i canonical.Identifier) bool {
	return e.Identity != nil && slices.Contains(e.Identity.Previous, i)
}

// threadOf returns the thread of a head's key.
func threadOf(key store.Key) canonical.ThreadID {
	return canonical.ThreadID(key.Partition[strings.LastIndexByte(key.Partition, '/')+1:])
}

// root returns the thread that a thread is part of, itself where it is part of no other.
func (r *Router) root(ctx context.Context, tenant string, thread canonical.ThreadID) (canonical.ThreadID, error) {
	for range maxHops {
		held, err := r.Store.Get(ctx, conversation.Key(tenant, thread))
		if err != nil {
			return "", err
		}
		head, err := conversation.Decode(held[0].Data)
		if err != nil {
			return "", err
		}
		if head.Joined == nil {
			return thread, nil
		}
		thread = head.Joined.Thread
	}
	return "", fault.New(fault.Retryable, CodeContended, nil)
}

// began returns the event time of the first entry in a thread's log, zero where there is none.
func (r *Router) began(ctx context.Context, tenant string, thread canonical.ThreadID) (time.Time, error) {
	page, _, err := r.Log.List(ctx, store.Range{Partition: conversation.Key(tenant, thread).Partition, Prefix: logPrefix, Limit: 1})
	if err != nil || len(page) == 0 {
		return time.Time{}, err
	}
	at, _, _ := strings.Cut(strings.TrimPrefix(page[0].Sort, logPrefix), "/")
	return time.Parse(logTime, at)
}

// bind makes identifiers lead to the thread of an event, before anything of the event is kept: of two events that name one of them
// first, one at a time, the second meets what the first wrote. It returns the head as it is then.
func (r *Router) bind(ctx context.Context, j *job, pepper canonical.Pepper, held store.Record, head *conversation.Head, leads []lead) (store.Record, error) {
	e := &j.event
	if held.Version == 0 {
		if err := r.Store.Note(ctx, threadPointer(e)); err != nil { // a repeat finds a head
			return held, err
		}
	}
	head.PersonKey = person(e, j.tenant, pepper, *head).Key
	var changes []store.Change
	for _, l := range leads {
		if l.thread == "" && isPhone(l.id) && wasBefore(e, l.id) { // nobody's, or by now somebody else's
			continue
		}
		head.AddAliases(canonical.AliasID(pepper, l.id))
		if l.thread != "" {
			continue
		}
		change, err := r.leadHere(e, pepper, l, len(leads))
		if err != nil {
			return held, err
		}
		changes = append(changes, change)
	}
	data, err := conversation.Encode(*head)
	if err != nil {
		return held, err
	}
	changes = append(changes, store.Change{Kind: store.Put, Record: store.Record{Key: held.Key, Version: held.Version, Data: data}})
	written, err := r.Store.Write(ctx, changes...)
	if err != nil {
		return held, err
	}
	return written[len(written)-1], nil
}

// leadHere returns what makes an identifier that leads nowhere lead to an event's thread.
func (r *Router) leadHere(e *canonical.Event, pepper canonical.Pepper, l lead, named int) (store.Change, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	change := store.Change{Kind: store.Put, Record: store.Record{Key: l.alias.Key, Version: l.alias.Version}}
	var err error
	if isPhone(l.id) {
		change.Key = conversation.Key(e.TenantID, canonical.NewThreadID(pepper, l.id.Value))
		change.Data, err = conversation.Encode(conversation.Head{Identity: conversation.Identity{
			Joined: &conversation.Joined{Thread: e.ThreadID, At: now, Event: e.EventID},
		}})
		return change, err
	}
	rule := identity.SamePayload
	switch {
	case e.Type == canonical.TypeIdentity:
		rule = identity.ProvidersWord
	case named == 1 && e.Customer().Phone == "":
		rule = identity.First
	}
	change.Data, err = identity.Encode(identity.Alias{Thread: e.ThreadID, Since: e.Timestamp.UTC(), Written: now, Event: e.EventID, Rule: rule})
	return change, err
}
