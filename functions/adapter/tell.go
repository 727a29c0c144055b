package adapter

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// Teller tells a provider what people said of being written to, where the provider keeps a list of its own by which it refuses to send. The
// channel of such a provider has one beside it, which its Reparser uses. It is safe for concurrent use.
type Teller interface {
	// Keeps reports whether the provider's list is of a channel. Of others it is told nothing.
	Keeps(channel canonical.Channel) bool
	// Tell tells an account's provider of at most MaxWords words, each about somebody else or another line. It may be repeated. It returns why a
	// word is not taken, nil for what is: a fault.Permanent for one that never will be, by the provider's code. The error is of all of them,
	// sorted by package fault: they are told again.
	Tell(ctx context.Context, a tenant.Account, words []consent.Word) (refused []error, err error)
}

// MaxWords is how many words a Teller is given at once.
const MaxWords = 25

const (
	tellMost     = 2_000            // how many waiting words of an account are read in a run
	tellMargin   = 12 * time.Second // what has to be left of an invocation for a request
	tellLease    = time.Minute      // how long an account is one run's; a request ends long before
	tellProgress = "told"           // the name of its progress
)

// Tells makes r tell the provider, too, on its schedule. It returns r.
func (r *Reparser) Tells(t Teller) *Reparser {
	r.teller = t
	return r
}

// tellAll tells the providers of all accounts what waits. One account's trouble is not another's.
func (r *Reparser) tellAll(ctx context.Context) error {
	accounts, err := r.accounts.Accounts(ctx, r.adapter.description.Provider)
	if err != nil {
		return err
	}
	var failed error
	for _, a := range accounts {
		if a.ConsentURL != "" && !redrive.OutOfTime(ctx, tellMargin) {
			failed = errors.Join(failed, r.tell(ctx, a))
		}
	}
	return failed
}

// topic is all that waits about somebody and a line, oldest first: the last of it counts.
type topic struct {
	word    consent.Word
	records []store.Record
}

// tell tells an account's provider what waits. A run at a time does, by a lease, so that nothing older is under way when something newer is
// told. What the provider does not answer the next run tells; if that goes on, an error tells.
func (r *Reparser) tell(ctx context.Context, a tenant.Account) error {
	p, err := r.readProgress(ctx, a.ID, tellProgress)
	if err != nil || time.Now().Before(p.Looked) {
		return err
	}
	topics, err := r.topics(ctx, a)
	if err != nil || len(topics) == 0 {
		return err
	}
	var failed error // of the provider, or of some words
	for some := range slices.Chunk(topics, MaxWords) {
		if redrive.OutOfTime(ctx, tellMargin) {
			break
		}
		p.Looked = time.Now().UTC().Add(tellLease)
		if err := r.keep(ctx, p); err != nil {
			return unlessLost(err)
		}
		again, err := r.tellSome(ctx, a, some)
		if failed = errors.Join(failed, again, err); err != nil {
			break
		}
	}
	now := time.Now().UTC()
	if p.Failing = cmp.Or(p.Failing, now); failed == nil {
		p.Failing = time.Time{}
	} else {
		r.adapter.Logger.WarnContext(ctx, "provider cannot be told of consent", slog.String("account", a.ID), slog.String("code", fault.Of(failed).Code), slog.Any("error", failed))
	}
	p.Looked = time.Time{}
	kept := unlessLost(r.keep(ctx, p))
	if failed != nil && now.Sub(p.Failing) > tolerated {
		return errors.Join(failed, kept)
	}
	return kept
}

// unlessLost returns an error, but nil if another run goes on.
func unlessLost(err error) error {
	if _, lost := errors.AsType[*store.ConflictError](err); lost {
		return nil
	}
	return err
}

// topics returns what waits for an account, one for each of whom and which line there is something.
func (r *Reparser) topics(ctx context.Context, a tenant.Account) (topics []topic, err error) {
	n := 0
	for page, err := range store.Pages(ctx, r.records, consent.Waiting(a.ID)) {
		if err != nil {
			return nil, err
		}
		for _, record := range page {
			w, err := r.openWord(ctx, record)
			if fault.Is(err, codeWord) {
				r.adapter.Logger.ErrorContext(ctx, "a word to a provider cannot be read", slog.String("partition", record.Partition), slog.String("sort", record.Sort),
					slog.Any("error", err))
				r.adapter.Meter.Count("SpoolUnreadable", 1)
			} else if err != nil {
				return nil, err
			}
			if w.Tenant == "" {
				continue
			}
			if last := len(topics) - 1; last < 0 || topics[last].word.Of() != w.Of() {
				topics = append(topics, topic{})
			}
			t := &topics[len(topics)-1]
			w.Address = cmp.Or(w.Address, t.word.Address) // the one of them all
			t.word, t.records = w, append(t.records, record)
		}
		if n += len(page); n >= tellMost { // what is about the last may go on in the next page
			topics = topics[:min(max(len(topics)-1, 1), len(topics))]
			break
		}
	}
	return slices.DeleteFunc(topics, func(t topic) bool { return t.word.Address == "" }), nil
}

// codeWord is the code of a word that cannot be read, and never will be.
const codeWord = "word_unreadable"

// openWord returns what waits, without its address if that alone cannot be read.
func (r *Reparser) openWord(ctx context.Context, record store.Record) (consent.Word, error) {
	w, sealed, ok := consent.ReadWord(record)
	if !ok {
		return consent.Word{}, fault.New(fault.Permanent, codeWord, nil)
	}
	address, err := r.adapter.sealer.Open(ctx, w.Place(), sealed)
	if cause := fault.Of(err); cause != nil && cause.Kind == fault.Permanent {
		return w, fault.New(fault.Permanent, codeWord, cause)
	}
	w.Address = string(address)
	return w, err
}

// tellSome tells the newest of each topic, and keeps what became of it. Again is why some are told again, and err why all that are left are.
func (r *Reparser) tellSome(ctx context.Context, a tenant.Account, all []topic) (again, err error) {
	var topics []topic
	var words []consent.Word
	for _, t := range all {
		if r.teller.Keeps(t.word.Channel) {
			topics, words = append(topics, t), append(words, t.word)
		} else if err := removeSent(ctx, r.records, t.records); err != nil {
			return nil, err
		}
	}
	if len(words) == 0 {
		return nil, nil
	}
	refused, err := r.teller.Tell(ctx, a, words)
	if err != nil {
		return nil, err
	}
	for i, t := range topics {
		code := ""
		if cause := fault.Of(refused[i]); cause != nil {
			if cause.Kind != fault.Permanent {
				again = cause
				continue
			}
			code = cause.Code
			r.adapter.Logger.ErrorContext(ctx, "provider does not take a change of consent", slog.String("account", a.ID), slog.String("tenant", t.word.Tenant),
				slog.String("line", t.word.Line), slog.String("code", code))
			r.adapter.Meter.Count("ConsentUnwritten", 1, telemetry.Label{Name: "tenant", Value: t.word.Tenant})
		}
		if err := r.records.Note(ctx, t.word.Outcome(time.Now(), code)); err != nil {
			return again, err
		}
		if err := removeSent(ctx, r.records, t.records); err != nil {
			return again, err
		}
	}
	return again, nil
}
