package deadletter

import (
	"context"
	"errors"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// State is what became of a dead letter. Lists leave out by default what is not Open.
type State string

// The states.
const (
	Open      State = ""          // nothing was done about it
	Redriven  State = "redriven"  // it was put back; should it fail again, a new dead letter takes its place
	Completed State = "completed" // its work was found to be completed
)

// IsCurrent reports whether pointer is that of rec, and not of an earlier dead letter whose place rec took.
func IsCurrent(pointer store.Record, rec Record) bool { return pointer.Sort == pointerSort(rec) }

// pointerSort returns where in its day a dead letter is.
func pointerSort(rec Record) string {
	return rec.Last.UTC().Format("2006-01-02T15:04:05.000000000Z") + "/" + rec.ID
}

// Writer is what Settle needs of a store.
type Writer interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Settle writes what became of a dead letter, as Read read it from held. A newer one that took its place meanwhile stays as
// it is: what was put back has failed again.
func Settle(ctx context.Context, s Writer, held store.Record, state State, generation int) error {
	letter, ok := Read(held)
	if !ok {
		return fault.New(fault.Permanent, CodeInvalid, errors.New("no dead letter is held"))
	}
	return write(ctx, s, held, func(now Record, ok bool) (Record, bool) {
		if !ok || now.ID != letter.ID || !now.Last.Equal(letter.Last) || now.RedrivenAs > generation {
			return now, false
		}
		now.State, now.SettledAt, now.RedrivenAs = state, time.Now().UTC().Truncate(time.Millisecond), generation
		return now, true
	})
}

// write writes over what is held the record that next makes of it, until nobody else writes meanwhile or next says that nothing is to
// be written.
func write(ctx context.Context, s Writer, held store.Record, next func(held Record, ok bool) (rec Record, differs bool)) error {
	key := held.Key
	for range 4 {
		rec, differs := next(Read(held))
		if !differs {
			return nil
		}
		data, err := unknown.Marshal(rec, rec.Unknown)
		if err != nil {
			return fault.New(fault.Permanent, CodeInvalid, nil)
		}
		_, err = s.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: key, Version: held.Version, Number: held.Number, Expires: rec.Last.Add(Retention), Data: data,
		}})
		conflict, lost := errors.AsType[*store.ConflictError](err)
		if !lost {
			return err
		}
		held = conflict.Held
	}
	return fault.New(fault.Retryable, CodeContended, nil)
}
