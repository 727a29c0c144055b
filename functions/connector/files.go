package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// FileTaker is a CRM that takes files: its Next has steps for delivery.AttachFile, of which Do puts a Step's File into the CRM. Their
// results hold ResultFile and the CRM's ids of what else was made, or ResultLeft. Files of any other CRM stay links.
type FileTaker interface {
	// MaxFile returns how many bytes a file may have at most.
	MaxFile() int
}

// Files reads what is kept of files; media.Reader is one.
type Files interface {
	// Kept returns what is known of a file, nil for nothing yet.
	Kept(ctx context.Context, tenant string, event canonical.EventID, n int) (*media.Kept, error)
	Read(ctx context.Context, tenant string, k *media.Kept) ([]byte, error)
}

// ResultFile is, in the results of the steps of a file, the CRM's id of it.
const ResultFile = "file"

// ResultLeft is, in the result of a step, the code for which a file stays a link. It is the last step then.
const ResultLeft = "left"

// The codes for which a file stays a link that a Connector finds itself.
const (
	CodeFileUntaken   = "file_untaken"       // the CRM takes none
	CodeFileLarge     = "file_too_large"     // for the CRM
	CodeFileMissing   = "file_not_kept"      // nobody fetched it within a day
	CodeFileUnshown   = "file_unshown"       // its message was not written for weeks
	CodeFileNumber    = "file_number"        // there is no such file
	CodeFileNoPerson  = "file_no_person"     // the CRM holds nobody whose it is
	CodeFileForbidden = "file_no_permission" // the CRM's permission for files was not given
)

// How long a file is waited for and tried. Nothing waits for it: its link is there. It never becomes a dead letter, which would take the place
// of its message's.
const (
	awaitFile    = 26 * time.Hour // after the message came; a job for one is tried for a day
	awaitMessage = 15 * 24 * time.Hour
	tryFile      = 6 * time.Hour
)

// uploads is how many files are in memory at once: each up to four times.
const uploads = 1

// File is a file that a step puts into the CRM.
type File struct {
	Key   string // names it, whoever tries; 64 hex digits
	Name  string // with which it is saved
	Type  string
	Size  int
	Shown Result // what the CRM told of the records that show its message, as the steps that wrote them said

	from func(ctx context.Context) ([]byte, error)
}

// Read returns the file.
func (f *File) Read(ctx context.Context) ([]byte, error) { return f.from(ctx) }

// FilePrefix is what the sort keys of the records of files in CRMs begin with, in the partition of the thread. Whoever erases a person
// finds them there: they have no end.
const FilePrefix = "file/"

// filed is such a record.
type filed struct {
	CRM   string            `json:"crm"`
	Event canonical.EventID `json:"eventId"`
	File  int               `json:"file"`
	IDs   Result            `json:"ids"` // the CRM's
	At    time.Time         `json:"at"`
}

// fileKey names a file of an event.
func fileKey(tenant string, event canonical.EventID, n int) string {
	sum := sha256.Sum256([]byte(tenant + "/file/" + string(event) + "/" + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:])
}

// gatherFiles finds out what there is to do of the files of items, and returns the items to be worked on. They wait, without a claim,
// until the file is fetched and the CRM shows its message.
func (c *Connector[R]) gatherFiles(ctx context.Context, items []*item) (ready []*item) {
	queue.SideBySide(items, func(_ int, it *item) {
		defer c.recovered(ctx, []*item{it})
		switch err := c.findFile(it.context(ctx), it); {
		case errors.Is(err, queue.ErrNotStarted):
			it.err = err
		case err != nil:
			c.fail(ctx, it, err)
		}
	})
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.err != nil || it.finished })
}

// findFile makes the file that is kept the item's, or ends the item. An error says why it is not yet to be worked on.
func (c *Connector[R]) findFile(ctx context.Context, it *item) error {
	taker, takes := c.crm.(FileTaker)
	n, ok := it.delivery.File()
	switch {
	case !takes || c.options.Files == nil:
		c.leaveAlone(ctx, it, CodeFileUntaken)
		return nil
	case !ok:
		c.leaveAlone(ctx, it, CodeFileNumber)
		return nil
	}
	e := &it.delivery.Event
	kept, err := c.options.Files.Kept(ctx, e.TenantID, e.EventID, n)
	f := fault.Of(err)
	if f != nil && f.Kind != fault.Permanent {
		return err
	}
	switch {
	case f != nil: // the person was erased, say
		c.leaveAlone(ctx, it, f.Code)
	case kept == nil:
		return c.await(ctx, it, awaitFile, CodeFileMissing)
	case kept.Problem != "":
		c.leaveAlone(ctx, it, kept.Problem)
	case kept.Size > taker.MaxFile():
		c.leaveAlone(ctx, it, CodeFileLarge)
	default:
		return c.takeFile(ctx, it, n, kept)
	}
	return nil
}

// takeFile makes a file the item's once the CRM shows its message.
func (c *Connector[R]) takeFile(ctx context.Context, it *item, n int, kept *media.Kept) error {
	shown, ended, err := c.shownBy(ctx, it)
	switch {
	case err != nil:
		return err
	case !ended:
		return c.await(ctx, it, awaitMessage, CodeFileUnshown)
	}
	e := &it.delivery.Event
	it.file = &File{
		Key: fileKey(e.TenantID, e.EventID, n), Name: kept.FileName(n), Type: kept.Type, Size: kept.Size, Shown: shown,
		from: func(ctx context.Context) ([]byte, error) { return c.options.Files.Read(ctx, e.TenantID, kept) },
	}
	return nil
}

// shownBy returns what the CRM told when it was told of an item's message, and whether it was. The message may have been written by another
// delivery of its session: then that one's mark tells.
func (c *Connector[R]) shownBy(ctx context.Context, it *item) (Result, bool, error) {
	d := &it.delivery
	keys := []store.Key{messageClaim(d)}
	if d.Session != nil {
		keys = append(keys, markKey(d))
	}
	held, err := c.options.Store.Get(ctx, keys...)
	if err != nil {
		return nil, false, err
	}
	progress, ended, err := idempotency.Achieved(held[0])
	shown := Result{}
	for _, name := range slices.Sorted(maps.Keys(progress)) {
		maps.Copy(shown, progress[name])
	}
	if d.Session != nil && held[1].Version > 0 && err == nil {
		var m mark
		if json.Unmarshal(held[1].Data, &m) == nil {
			maps.Copy(shown, m.Result)
			ended = ended || m.Revision >= d.Session.Revision
		}
	}
	return shown, ended, err
}

// await puts an item back for a part of how old its message is, or leaves its file alone when that is too long.
func (c *Connector[R]) await(ctx context.Context, it *item, most time.Duration, code string) error {
	age := time.Since(it.delivery.Event.ReceivedAt)
	if age > most {
		c.leaveAlone(ctx, it, code)
		return nil
	}
	return &queue.HeldError{For: min(max(age/4, 5*time.Second), time.Hour), Gathers: true}
}

// leaveAlone ends an item without a claim: its file stays a link. A copy ends the same way.
func (c *Connector[R]) leaveAlone(ctx context.Context, it *item, code string) {
	it.finished = true
	c.tellLeft(ctx, it, code)
}

// leave ends an item with a claim whose file stays a link.
func (c *Connector[R]) leave(it *item, code string) {
	it.achieve(ResultLeft, Result{ResultLeft: code})
	it.ended = time.Now()
	it.completions.add(it)
}

// leaves reports whether a fault of an item leaves its file a link. A message is worth more tries.
func (it *item) leaves(f *fault.Error) bool {
	if it.file == nil || it.claim == nil {
		return false
	}
	blocked := f.Kind == fault.Blocked && time.Since(it.delivery.Event.ReceivedAt) > awaitFile
	return blocked || f.Kind == fault.Permanent || !it.claim.FailingSince.IsZero() && time.Since(it.claim.FailingSince) > tryFile
}

// learned returns what all steps of an item learned.
func (it *item) learned() Result {
	all := Result{}
	for _, name := range slices.Sorted(maps.Keys(it.done)) {
		maps.Copy(all, it.done[name])
	}
	return all
}

// finishFile writes down which records of the CRM an item's file became, before the item is complete.
func (c *Connector[R]) finishFile(ctx context.Context, it *item) error {
	ids := it.learned()
	switch {
	case ids[ResultLeft] != "":
		return nil
	case ids[ResultFile] == "":
		it.achieve(ResultLeft, Result{ResultLeft: CodeFileNoPerson})
		return nil
	}
	e := &it.delivery.Event
	n, _ := it.delivery.File()
	data, _ := json.Marshal(filed{CRM: it.delivery.CRM, Event: e.EventID, File: n, IDs: ids, At: time.Now().UTC().Truncate(time.Second)}) // texts
	within, cancel := queue.Finishing(it.context(ctx))
	defer cancel()
	_, err := c.options.Store.Write(within, store.Change{Kind: store.Put, Record: store.Record{
		Key: store.Key{
			Partition: e.TenantID + "/thread/" + string(e.ThreadID),
			Sort:      fmt.Sprintf("%s%s/%s/%03d", FilePrefix, it.delivery.CRM, e.EventID, n),
		},
		Data: data,
	}})
	if _, there := errors.AsType[*store.ConflictError](err); there { // by a try that ended after it
		return nil
	}
	return err
}

// tellFile tells of an item whose file is in the CRM, or stays a link.
func (c *Connector[R]) tellFile(ctx context.Context, it *item) {
	if code := it.learned()[ResultLeft]; code != "" {
		c.tellLeft(it.context(ctx), it, code)
		return
	}
	c.options.Meter.Count("FileAttached", 1, labels(it)...)
	c.options.Logger.InfoContext(it.context(ctx), "file put into the CRM", slog.String("tenant", it.delivery.Event.TenantID),
		slog.String("crm", it.delivery.CRM), slog.Int("bytes", it.file.Size))
}

func (c *Connector[R]) tellLeft(ctx context.Context, it *item, code string) {
	c.options.Meter.Count("FileLeft", 1, append(labels(it), telemetry.Label{Name: "code", Value: code})...)
	c.options.Logger.WarnContext(ctx, "file stays a link", slog.String("tenant", it.delivery.Event.TenantID),
		slog.String("crm", it.delivery.CRM), slog.String("code", code))
}
