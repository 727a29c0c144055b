package router

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// shelf is what is shown of one thread, as far as it is looked at and changed.
type shelf struct {
	*Router
	held    map[store.Key]store.Record // that was read
	volumes []*volume
	states  *states
}

// volume is the record of a session, with what is added to it.
type volume struct {
	merged
	*Router
	place    session.Place
	zone     string
	person   string // with whose key it is sealed
	record   session.Record
	entries  []canonical.Event // that are added
	size     int               // in bytes, of the record at most
	next     string            // the part in which it goes on
	verdicts []verdict         // of messages in it
	expires  time.Time
}

// states is the record of a thread's conversations, with what is counted.
type states struct {
	merged
	counted []conversation.Counted
	opened  map[canonical.EventID]bool // which of them open their conversation, as far as it is read
}

func (r *Router) newShelf() *shelf { return &shelf{Router: r, held: map[store.Key]store.Record{}} }

// hold keeps what was read for a job.
func (s *shelf) hold(j *job) {
	maps.Copy(s.held, j.held)
}

// read returns what is held under a key.
func (s *shelf) read(ctx context.Context, key store.Key) (store.Record, error) {
	if held, ok := s.held[key]; ok {
		return held, nil
	}
	records, err := s.Store.Get(ctx, key)
	if err != nil {
		return store.Record{}, err
	}
	s.held[key] = records[0]
	return records[0], nil
}

// volume returns the volume of a session.
func (s *shelf) volume(ctx context.Context, place session.Place, t tenant.Tenant, person string) (*volume, error) {
	name := place.Name()
	if i := slices.IndexFunc(s.volumes, func(v *volume) bool { return v.place.Name() == name }); i >= 0 {
		return s.volumes[i], nil
	}
	held, err := s.read(ctx, session.StoreKey(place.Tenant, place.Thread, name))
	if err != nil {
		return nil, err
	}
	v := &volume{Router: s.Router, place: place, zone: t.Zone, person: person, size: len(held.Data)}
	v.held, v.merge = held, v.apply
	if v.record, err = v.open(ctx, held); err != nil {
		return nil, err
	}
	s.volumes = append(s.volumes, v)
	return v, nil
}

// open reads the record of a volume. Whoever was erased and writes again has a new one.
func (v *volume) open(ctx context.Context, held store.Record) (session.Record, error) {
	record, err := session.Open(ctx, v.sealer, held)
	if fault.Is(err, keyring.CodeErased) {
		record, err = session.Record{}, nil
	}
	if len(record.Entries) == 0 {
		record.Zone, record.Late = v.zone, isLate(v.place)
	}
	return record, err
}

// apply adds to what is held what is to be added.
func (v *volume) apply(ctx context.Context, held store.Record) (*store.Change, error) {
	record, err := v.open(ctx, held)
	if err != nil {
		return nil, err
	}
	changed := false
	for _, e := range v.entries {
		changed = record.Add(e) || changed
	}
	for _, x := range v.verdicts {
		changed = record.Judge(x.provider, x.account, x.id, x.failure) || changed
	}
	if cmp.Or(cmp.Compare(len(v.next), len(record.Next)), strings.Compare(v.next, record.Next)) > 0 { // of two numbers the higher
		record.Next, changed = v.next, true
	}
	if v.record = record; !changed {
		return nil, nil
	}
	return v.seal(ctx, held, &record)
}

// seal returns what writes a record over the held one.
func (v *volume) seal(ctx context.Context, held store.Record, record *session.Record) (*store.Change, error) {
	data, err := session.Seal(ctx, v.sealer, held.Key, v.person, record)
	if err == nil && len(data) > store.MaxData { // with what another writer added, who was first
		err = fault.New(fault.Retryable, CodeMerge, nil)
	}
	if err != nil {
		return nil, err
	}
	expires := v.expires
	if held.Expires.After(expires) {
		expires = held.Expires
	}
	return &store.Change{Record: store.Record{Key: held.Key, Version: held.Version, Expires: expires, Data: data}}, nil
}

// withdraw takes out an event that is shown in another session.
func (v *volume) withdraw(ctx context.Context, id canonical.EventID) error {
	m := &merged{merge: func(ctx context.Context, held store.Record) (*store.Change, error) {
		record, err := v.open(ctx, held)
		if err != nil || !record.Remove(id) {
			return nil, err
		}
		return v.seal(ctx, held, &record)
	}}
	m.meet(ctx, v.held)
	v.write(ctx, nil, []*merged{m})
	return m.err
}

// reference returns how deliveries name a session that is written; nil where there is none.
func (v *volume) reference(window time.Duration) *delivery.Session {
	if v == nil {
		return nil
	}
	return &delivery.Session{Name: v.place.Name(), Key: v.place.ExternalID(), Revision: v.held.Version, Window: window}
}

// put adds the event of a job to a volume.
func (s *shelf) put(j *job, v *volume, e canonical.Event, t tenant.Timeline) {
	v.entries = append(v.entries, e)
	if v.record.Add(e) {
		v.size += session.Size(e)
	}
	last := time.Now()
	if e.Timestamp.After(last) {
		last = e.Timestamp
	}
	if until := last.Add(48*time.Hour + t.Silence + t.SealAfter + kept); until.After(v.expires) {
		v.expires = until
	}
	j.volume, j.merged = v, append(j.merged, &v.merged)
}

// find returns the volume of an event: of its day or of its stretch of time, or that of the message it is about.
func (s *shelf) find(ctx context.Context, j *job, e *canonical.Event, t tenant.Timeline) (*volume, error) {
	place := dayOf(e, j.tenant, t)
	if t.Granularity == tenant.BySession {
		var err error
		if place, err = s.stretchOf(ctx, e, j, t); err != nil {
			return nil, err
		}
	}
	v, err := s.volume(ctx, place, j.tenant, j.decision.Person.Key)
	if err != nil {
		return nil, err
	}
	if about, err := s.about(ctx, e, j, v); err != nil || about != nil {
		return about, err
	}
	return s.partOf(ctx, e, j, v)
}

// partOf returns the part of a session that an event is in, or is to be in.
func (s *shelf) partOf(ctx context.Context, e *canonical.Event, j *job, base *volume) (*volume, error) {
	v, place := base, base.place
	if e.Type == canonical.TypeRetract && e.RelatesTo != nil && base.record.HoldsMessage(e.RelatesTo.ProviderMessageID) {
		return base, nil // however full it is: what is taken back must go
	}
	var err error
	if !base.record.Tells(*e) && base.record.Next != "" {
		place.Part = base.record.Next
		if v, err = s.volume(ctx, place, j.tenant, j.decision.Person.Key); err != nil {
			return nil, err
		}
	}
	if v.record.Tells(*e) || v.record.HasRoom(v.size+session.Size(*e)) {
		return v, nil
	}
	place.Part = following(base.place.Part, v.place.Part)
	base.next, base.record.Next = place.Part, place.Part
	j.merged = append(j.merged, &base.merged)
	return s.volume(ctx, place, j.tenant, j.decision.Person.Key)
}

// following returns the part after one of those that a session of a first part has.
func following(first, part string) string {
	n := 1
	if number := strings.TrimPrefix(strings.TrimPrefix(part, first), "-"); number != "" {
		n, _ = strconv.Atoi(number)
	}
	if first != "" {
		first += "-"
	}
	return first + strconv.Itoa(n+1)
}

// newest bounds how many sessions of a thread are looked through.
const newest = 8

// list returns the volumes of an event's conversation among the newest sessions of the thread that begin before a time, the newest first.
func (s *shelf) list(ctx context.Context, e *canonical.Event, j *job, before time.Time) ([]*volume, error) {
	sessions := session.Sessions(e.TenantID, e.ThreadID)
	end := session.Place{Start: before}
	sessions.After, sessions.Limit = end.Name(), newest
	page, _, err := s.Log.List(ctx, sessions)
	if err != nil {
		return nil, err
	}
	for _, record := range page {
		if place, ok := session.Named(e.TenantID, e.ThreadID, record.Sort); ok {
			if s.held[record.Key].Version < record.Version {
				s.held[record.Key] = record
			}
			if _, err := s.volume(ctx, place, j.tenant, j.decision.Person.Key); err != nil {
				return nil, err
			}
		}
	}
	var found []*volume
	for _, v := range s.volumes {
		if v.place.Channel == e.Channel && v.place.Line == e.LineID && v.place.Start.Before(before) && len(v.record.Entries) > 0 {
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b *volume) int { return b.place.Start.Compare(a.place.Start) })
	return found, nil
}

// about returns the volume of the message that a reaction, an edit or a retraction is about, nil if that is the event's own or is not found.
func (s *shelf) about(ctx context.Context, e *canonical.Event, j *job, own *volume) (*volume, error) {
	if e.Type == canonical.TypeMessage || e.Type == canonical.TypeConsent || e.RelatesTo == nil || own.record.HoldsMessage(e.RelatesTo.ProviderMessageID) {
		return nil, nil
	}
	found, err := s.list(ctx, e, j, e.Timestamp.Add(time.Millisecond))
	if err != nil {
		return nil, err
	}
	timeline := j.tenant.TimelineOf(e.LineID)
	for _, v := range found {
		sealed := e.ReceivedAt.After(v.last().Add(timeline.SealAfter))
		if v.record.HoldsMessage(e.RelatesTo.ProviderMessageID) && !sealed && (e.Type == canonical.TypeRetract || v.record.HasRoom(v.size+session.Size(*e))) {
			return v, nil
		}
	}
	return nil, nil
}

// last returns the event time of the last entry.
func (v *volume) last() time.Time { return v.record.Entries[len(v.record.Entries)-1].Event.Timestamp }

// stretchOf returns the session of an event between two silences: of those that are nearer to it than a silence, the newest that had begun,
// or else the first to begin.
func (s *shelf) stretchOf(ctx context.Context, e *canonical.Event, j *job, t tenant.Timeline) (session.Place, error) {
	at, zone := e.Timestamp, zoneOf(j.tenant)
	found, err := s.list(ctx, e, j, at.Add(t.Silence))
	if err != nil {
		return session.Place{}, err
	}
	end := map[time.Time]time.Time{} // by start, of all parts
	for _, v := range found {
		if start := v.place.Start; !isLate(v.place) && v.last().After(end[start]) {
			end[start] = v.last()
		}
	}
	place := placeOf(e, at, e.ReceivedAt, zone, t) // what begins is not late
	for _, v := range found {
		if last, ok := end[v.place.Start]; ok && at.Before(last.Add(t.Silence)) {
			place = placeOf(e, v.place.Start, last.Add(t.Silence), zone, t)
			if !v.place.Start.After(at) {
				break
			}
		}
	}
	return place, nil
}

// count counts the event of a job in how its conversation stands.
func (s *shelf) count(ctx context.Context, j *job, e *canonical.Event, d *Decision) error {
	if s.states == nil {
		held, err := s.read(ctx, conversation.StatesKey(e.TenantID, e.ThreadID))
		if err != nil {
			return err
		}
		s.states = &states{}
		s.states.held, s.states.merge = held, s.states.apply
	}
	x := conversation.Counted{
		Event: e.EventID, Line: e.LineID, Channel: e.Channel, At: e.Timestamp, Outbound: e.Direction == canonical.Outbound, Owner: d.Owner,
		Consent: j.known.Consent[e.Channel].State, ByPerson: writtenByPerson(e) || d.Consent == nil && canReply(e), Again: d.Told != nil,
	}
	if d.Consent != nil && d.Consent.State != "" && !d.Superseded {
		x.Consent = d.Consent.State
	}
	if x.Outbound {
		x.Key = canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.ProviderMessageID)
	}
	j.states = s.states
	s.states.counted, j.merged = append(s.states.counted, x), append(j.merged, &s.states.merged)
	return nil
}

// apply counts what is to be counted in what is held.
func (s *states) apply(_ context.Context, held store.Record) (*store.Change, error) {
	c, err := conversation.DecodeStates(held.Data)
	if err != nil {
		return nil, err
	}
	changed := false
	s.opened = map[canonical.EventID]bool{}
	for _, x := range s.counted {
		before, _ := c.Of(x.Line, x.Channel)
		changed = c.Count(x) || changed
		after, _ := c.Of(x.Line, x.Channel)
		s.opened[x.Event] = isOpen(after) && !isOpen(before)
	}
	if !changed {
		return nil, nil
	}
	data, err := conversation.EncodeStates(c)
	return &store.Change{Record: store.Record{Key: held.Key, Version: held.Version, Data: data}}, err
}

// merged returns all that is changed.
func (s *shelf) merged() []*merged {
	var all []*merged
	for _, v := range s.volumes {
		if len(v.entries) > 0 || len(v.verdicts) > 0 || v.next != "" {
			all = append(all, &v.merged)
		}
	}
	if s.states != nil {
		all = append(all, &s.states.merged)
	}
	return all
}

// meet merges what is changed into what was read.
func (s *shelf) meet(ctx context.Context) {
	for _, m := range s.merged() {
		m.meet(ctx, m.held)
	}
}
