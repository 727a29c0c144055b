// Package media keeps the files of messages. What fetches them takes jobs that the router sends, reads each file from where its provider,
// or whoever wrote, says that it is, and keeps it sealed with the key of the person whose message it is of. What shows them serves a
// file to whoever has a link that has not ended.
package media

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// Retention is how long what is known of a file is kept, and the file in its bucket: as long as the event's record.
const Retention = 90 * 24 * time.Hour

// CodeAccount is the code of a file that is read with the credentials of an account that nobody knows any more.
const CodeAccount = "media_account_unknown"

// Store keeps what is known of files.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Source reads files; *Fetcher is one.
type Source interface {
	Fetch(ctx context.Context, a canonical.Attachment, account tenant.Account) (File, error)
}

// Scanner reports what is wrong with a file: a permanent fault if it is not to be kept. *HTTPScanner is one.
type Scanner interface {
	Scan(ctx context.Context, f File) error
}

// Objects keeps files; every objects.Store does.
type Objects interface {
	Put(ctx context.Context, name string, data []byte) error
}

// Accounts looks accounts up; *tenant.Directory is one.
type Accounts interface {
	Account(ctx context.Context, id string) (tenant.Account, error)
}

// Sealer seals under persons' keys and opens; *keyring.Ring is one.
type Sealer interface {
	SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// Parts is what a Keeper is made of. All but Scanner are needed.
type Parts struct {
	Store    Store
	Objects  Objects
	Accounts Accounts
	Source   Source
	Scanner  Scanner // nil where files are not scanned
	Sealer   Sealer
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// Keeper keeps the files that jobs name: a queue.Handler. A file that is known already is left alone, so that a job may come again. One that
// cannot be kept for a reason of its own is known with that reason; the job is done then.
type Keeper struct{ Parts }

// NewKeeper returns a Keeper.
func NewKeeper(p Parts) *Keeper { return &Keeper{p} }

// Handle keeps the files of each job, one after the other: a file takes up to its limit of memory.
func (k *Keeper) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	for i, head := range heads {
		if errs[i] = queue.ErrNotStarted; ctx.Err() == nil {
			errs[i] = k.handle(telemetry.WithTrace(ctx, head.Trace), head)
		}
	}
	return errs
}

func (k *Keeper) handle(ctx context.Context, head queue.Received) error {
	job, err := media.Decode(head.Body)
	if err != nil {
		return err
	}
	ctx = telemetry.WithEvent(ctx, string(job.EventID))
	keys := make([]store.Key, len(job.Files))
	for i := range job.Files {
		keys[i] = media.KeptKey(job.TenantID, job.EventID, i)
	}
	if len(keys) == 0 {
		return nil
	}
	var missing []int
	for from := 0; from < len(keys); from += store.MaxGet {
		held, err := k.Store.Get(ctx, keys[from:min(from+store.MaxGet, len(keys))]...)
		if err != nil {
			return err
		}
		for i, record := range held {
			if record.Version == 0 {
				missing = append(missing, from+i)
			}
		}
	}
	var failed error // of the first file that is to be tried again: the others do not wait for it
	missing = inTurn(missing, max(head.Attempt-1, 0)%len(keys))
	for i, n := range missing {
		parts := 1 // the first has as long as it may take: one of many slow files would otherwise never come
		if i > 0 {
			parts = len(missing) - i + 1 // as much for each of those that are left, and for keeping them
		}
		failed = cmp.Or(failed, k.keep(ctx, &job, n, parts))
	}
	return failed
}

// inTurn returns the numbers of files from one on and then those before it: each attempt begins with another, so that the same slow ones
// do not take the time of every attempt.
func inTurn(files []int, from int) []int {
	at, _ := slices.BinarySearch(files, from)
	return slices.Concat(files[at:], files[:at])
}

// share returns a context that ends after one of so many equal parts of the time that is left.
func share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
}

// keep fetches a file in one of so many parts of the time that is left, keeps it, and writes what is known of it from now on.
func (k *Keeper) keep(ctx context.Context, job *media.Job, n, parts int) error {
	fetching, cancel := share(ctx, parts)
	file, err := k.fetch(fetching, job, n)
	cancel()
	var now media.Kept
	switch f := fault.Of(err); {
	case f == nil:
		now = media.Kept{Type: file.Type, Name: job.Files[n].Name, Size: len(file.Body), SHA256: digest(file.Body)}
		now.Object = fmt.Sprintf("media/%s/%s/%s/%d-%s", job.TenantID, job.ThreadID, job.EventID, n, now.SHA256[:16])
		sealed, err := k.Sealer.SealPerson(ctx, media.FilePlace(job.TenantID, now.Object), job.Person, file.Body)
		if err == nil {
			err = k.Objects.Put(ctx, now.Object, sealed)
		}
		if err != nil {
			return err
		}
	case f.Kind == fault.Permanent:
		now = media.Kept{Problem: f.Code}
	default:
		return err
	}
	now.At = time.Now().UTC().Truncate(time.Second)
	return k.write(ctx, job, n, now)
}

// fetch reads and scans a file.
func (k *Keeper) fetch(ctx context.Context, job *media.Job, n int) (file File, err error) {
	var account tenant.Account
	if access := job.Files[n].Access; access != nil && access.Scheme != "" {
		if account, err = k.Accounts.Account(ctx, job.AccountID); errors.Is(err, tenant.ErrUnknown) {
			err = fault.New(fault.Blocked, CodeAccount, nil)
		}
	}
	if err == nil {
		file, err = k.Source.Fetch(ctx, job.Files[n], account)
	}
	if err == nil && k.Scanner != nil {
		err = k.Scanner.Scan(ctx, file)
	}
	return file, err
}

// write writes what is known of a file, once: what another wrote meanwhile stands.
func (k *Keeper) write(ctx context.Context, job *media.Job, n int, now media.Kept) error {
	data, _ := json.Marshal(now) // of texts and numbers
	key := media.KeptKey(job.TenantID, job.EventID, n)
	sealed, err := k.Sealer.SealPerson(ctx, media.KeptPlace(job.TenantID, key), job.Person, data)
	if err != nil {
		return err
	}
	_, err = k.Store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: key, Expires: time.Now().Add(Retention), Data: sealed}})
	if _, lost := errors.AsType[*store.ConflictError](err); lost {
		return nil
	}
	if err != nil {
		return err
	}
	attrs := []any{slog.String("tenant", job.TenantID), slog.Int("file", n), slog.String("type", now.Type), slog.Int("bytes", now.Size)}
	if now.Problem == "" {
		k.Meter.Count("MediaKept", 1)
		k.Logger.InfoContext(ctx, "file kept", attrs...)
		return nil
	}
	k.Meter.Count("MediaRefused", 1, telemetry.Label{Name: "code", Value: now.Problem})
	k.Logger.WarnContext(ctx, "file not kept", append(attrs, slog.String("code", now.Problem))...)
	return nil
}
