package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Streak is how many Permanent faults with one code in a row, of one tenant and CRM, are taken for the tenant's
// configuration: from then on they are Blocked.
const Streak = 20

// streakKept is how long a streak is remembered without another fault.
const streakKept = 48 * time.Hour

// streaks counts the Permanent faults in a row of each tenant and CRM.
//
// The count is in the store: a function is many processes, and processes that count for themselves would each dead-letter their
// own twenty, again after every restart. It costs a read and a write a fault and nothing a success: what interrupts a
// streak is noticed by the process that saw it, at its own next fault, by comparing times. A streak may so outlive a
// success that another process saw; then what is broken waits, and is tried again, where it could have been given up.
type streaks struct {
	store Store

	counting  chan struct{} // of one: the faults of a call come side by side, and are counted in turn
	mu        sync.Mutex
	succeeded map[string]time.Time // by partition: the last success this process saw
}

// row is what a streak's record holds.
type row struct {
	Code  string    `json:"code"`
	Count int       `json:"count"`
	At    time.Time `json:"at"` // of the last fault

	Unknown unknown.Members `json:"-"`
}

func streakKey(tenant, crm string) store.Key {
	return store.Key{Partition: tenant + "/streak/" + crm, Sort: "permanent"}
}

// succeed ends the streak of a tenant and CRM.
func (s *streaks) succeed(tenant, crm string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.succeeded == nil {
		s.succeeded = map[string]time.Time{}
	}
	s.succeeded[streakKey(tenant, crm).Partition] = time.Now()
}

// fail returns how many faults with this code there are in a row, with this one. Without a reply from the store it is one.
func (s *streaks) fail(ctx context.Context, tenant, crm, code string) (int, error) {
	select {
	case s.counting <- struct{}{}:
		defer func() { <-s.counting }()
	case <-ctx.Done():
		return 1, ctx.Err()
	}
	key := streakKey(tenant, crm)
	s.mu.Lock()
	succeeded := s.succeeded[key.Partition]
	s.mu.Unlock()
	held, err := s.store.Get(ctx, key)
	if err != nil {
		return 1, err
	}
	record := held[0]
	for range 4 {
		met := readRow(record)
		now := time.Now().UTC()
		next := row{Code: code, Count: 1, At: now}
		if met.Code == code && !succeeded.After(met.At) {
			if met.Count >= Streak && now.Sub(met.At) < time.Hour {
				return met.Count, nil // long enough: every retry of a blocked message comes by here
			}
			next.Count, next.Unknown = min(met.Count+1, Streak), met.Unknown
		}
		data, err := unknown.Marshal(next, next.Unknown)
		if err != nil {
			return 1, err
		}
		_, err = s.store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: key, Version: record.Version, Expires: now.Add(streakKept), Data: data,
		}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return next.Count, err
		}
		record = conflict.Held
	}
	return 1, fault.New(fault.Retryable, "streak_contended", nil)
}

// readRow returns what a record holds; an absent or unreadable one is no streak.
func readRow(record store.Record) row {
	var met row
	if record.Version == 0 {
		return met
	}
	var err error
	if met.Unknown, err = unknown.Unmarshal(record.Data, &met); err != nil {
		return row{}
	}
	return met
}
