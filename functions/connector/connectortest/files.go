package connectortest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/media"
	"signalbox/shared/store"
)

// Files says what is true of a CRM that takes files, so that the suite can hold it to the contract.
type Files struct {
	Calls int // the limit: requests for a file of a person with links
	// Held returns the files that the simulator holds.
	Held func() []HeldFile
	// Delete deletes what shows messages, as a user of the CRM would.
	Delete func()
	// Forbid takes the permission for files away from whoever calls.
	Forbid func()
}

// HeldFile is a file in the CRM.
type HeldFile struct {
	ID   string // as results have it
	Name string
	Body string
	On   []string // the ids of the records that have it: of the person, or of what is on the person's timeline
}

// takesFiles runs the cases of CRMs that take files.
func takesFiles[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	if fresh(t).Files == nil {
		t.Skip("this CRM takes no files")
	}
	cases := map[string]func(*world[R]){
		"a file is put into the CRM once":                     fileOnce[R],
		"a copy after the claim is forgotten adds no file":    fileForgotten[R],
		"a file waits for its message":                        fileBeforeMessage[R],
		"a file of a session waits for it":                    fileOfSession[R],
		"a file waits until it is fetched, and not for ever":  fileNotFetched[R],
		"two files of a message and one of another":           filesTogether[R],
		"what the scanner refused is not put there":           fileRefused[R],
		"a file that is too large is not put there":           fileLarge[R],
		"of who was erased nothing is put there":              fileErased[R],
		"without the permission it stays a link":              fileForbidden[R],
		"a file of whom the CRM does not hold makes nobody":   fileOfNobody[R],
		"a file that fails for hours stays a link":            fileFails[R],
		"an upload whose outcome nobody knows has one effect": fileUnknown[R],
		"a file that the CRM refuses stays a link":            fileUnwelcome[R],
		"a file of a message that a user deleted":             fileOfDeleted[R],
		"a process that is killed at any call adds one file":  fileKilled[R],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
}

// shelf holds files for a world as those who fetch them do.
type shelf struct {
	kept   map[string]*media.Kept
	bodies map[string]string
	erased bool
}

func (s *shelf) Kept(_ context.Context, _ string, event canonical.EventID, n int) (*media.Kept, error) {
	if s.erased {
		return nil, fault.New(fault.Permanent, keyring.CodeErased, nil)
	}
	return s.kept[string(event)+"/"+strconv.Itoa(n)], nil
}

func (s *shelf) Read(_ context.Context, _ string, k *media.Kept) ([]byte, error) {
	return []byte(s.bodies[k.Object]), nil
}

// fetch keeps a file of a delivery's message, and returns the delivery that puts it into the CRM.
func (w *world[R]) fetch(d delivery.Delivery, n int, body string) delivery.Delivery {
	object := string(d.Event.EventID) + "/" + strconv.Itoa(n)
	w.files.kept[object] = &media.Kept{Object: object, Type: "image/png", Name: "Person 0 at sea.png", Size: len(body)}
	w.files.bodies[object] = body
	return w.file(d, n)
}

// file returns the delivery that puts a file of a delivery's message into the CRM.
func (w *world[R]) file(d delivery.Delivery, n int) delivery.Delivery {
	d.ID = delivery.NewFileID(d.Event.EventID, d.CRM, n)
	d.Actions = []delivery.Action{{Kind: delivery.AttachFile, Value: map[string]string{delivery.FileNumber: strconv.Itoa(n)}}}
	d.Person.Links = w.links.of(d.Event.ThreadID)
	d.Conversation, d.Event.Message = false, nil
	return d
}

// filed fails the test unless the CRM holds these files, each on one record, and it is written down where each is.
func (w *world[R]) filed(bodies ...string) {
	w.t.Helper()
	var found []string
	var ids []string
	for _, f := range w.Files.Held() {
		found, ids = append(found, f.Body), append(ids, f.ID)
		if len(f.On) != 1 {
			w.t.Errorf("file %s is on %q, want one record", f.ID, f.On)
		}
		if !strings.HasSuffix(f.Name, ".png") {
			w.t.Errorf("file %s is called %q", f.ID, f.Name)
		}
	}
	slices.Sort(found)
	slices.Sort(bodies)
	if !slices.Equal(found, bodies) {
		w.t.Errorf("files %q, want %q", found, bodies)
	}
	var written strings.Builder
	for n := range 4 {
		page, _, err := w.store.List(w.t.Context(), store.Range{Partition: w.Tenant + "/thread/" + string(w.unknown(n, 1).Event.ThreadID), Prefix: connector.FilePrefix})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, record := range page {
			written.Write(record.Data)
		}
	}
	for _, id := range ids {
		if !strings.Contains(written.String(), `"`+id+`"`) {
			w.t.Errorf("nobody who erases the person finds file %s in %s", id, written.String())
		}
	}
	if n := strings.Count(written.String(), `"crm"`); n != len(bodies) {
		w.t.Errorf("%d files are written down, want %d", n, len(bodies))
	}
}

// stays fails the test unless a file stays a link, for a reason that is told.
func (w *world[R]) stays(d delivery.Delivery, code string) {
	w.t.Helper()
	w.finish(d)
	w.filed()
	if said := w.out.String(); !strings.Contains(said, code) || !strings.Contains(said, "file stays a link") {
		w.t.Errorf("nobody is told %s: %s", code, said)
	}
}

func fileOnce[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	d := w.known(1, 2)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.wire.spoil(nil)
	w.finish(file)
	if n := w.wire.count(); n > w.Files.Calls {
		w.t.Errorf("%d requests for a file, the limit is %d", n, w.Files.Calls)
	}
	w.wire.spoil(nil)
	w.finish(file)
	if n := w.wire.count(); n != 0 {
		w.t.Errorf("%d requests for a copy", n)
	}
	w.filed("sea")
	w.holds(1, w.unknown(1, 1), d)
}

func fileForgotten[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.finish(file)
	time.Sleep(40 * 24 * time.Hour)
	w.finish(d)
	w.finish(file)
	w.filed("sea")
}

func fileBeforeMessage[R any](w *world[R]) {
	d := w.unknown(1, 1)
	file := w.fetch(d, 0, "sea")
	w.wire.spoil(nil)
	if errs := w.deliver(&process{}, file); errs[0] == nil || w.wire.count() > 0 {
		w.t.Errorf("%v after %d requests: it did not wait", errs[0], w.wire.count())
	}
	w.finish(d)
	w.finish(file)
	w.filed("sea")
}

func fileOfSession[R any](w *world[R]) {
	if w.Sessions == nil {
		w.t.Skip("this CRM shows each message by itself")
	}
	w.meet(1)
	first, second := w.says(1, 2, word(2)), w.says(1, 3, word(3))
	file := w.fetch(second, 0, "sea")
	if errs := w.deliver(&process{}, file); errs[0] == nil {
		w.t.Error("it did not wait")
	}
	w.finish(first, second)
	w.finish(file)
	w.filed("sea")
	w.reads(word(2), word(3))
}

func fileNotFetched[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.file(d, 0)
	if errs := w.deliver(&process{}, file); errs[0] == nil {
		w.t.Error("it did not wait")
	}
	time.Sleep(30 * time.Hour)
	w.stays(file, connector.CodeFileMissing)
}

func filesTogether[R any](w *world[R]) {
	w.width = w.Width
	one, other := w.unknown(1, 1), w.unknown(2, 1)
	w.finish(one, other)
	w.finish(w.fetch(one, 0, "sea"), w.fetch(one, 1, "hills"), w.fetch(other, 0, "sky"))
	w.filed("sea", "hills", "sky")
}

func fileRefused[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.files.kept[string(d.Event.EventID)+"/0"] = &media.Kept{Problem: "media_infected"}
	w.stays(file, "media_infected")
}

func fileLarge[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.files.kept[string(d.Event.EventID)+"/0"].Size = 1 << 30
	w.stays(file, connector.CodeFileLarge)
}

func fileErased[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.files.erased = true
	w.wire.spoil(nil)
	w.stays(file, keyring.CodeErased)
	if n := w.wire.count(); n != 0 {
		w.t.Errorf("%d requests", n)
	}
}

func fileForbidden[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	w.Files.Forbid()
	w.stays(w.fetch(d, 0, "sea"), connector.CodeFileForbidden)
	next := w.known(1, 2)
	w.finish(next)
	w.holds(1, d, next)
}

func fileOfNobody[R any](w *world[R]) {
	d := w.unknown(1, 1)
	d.Actions = []delivery.Action{{Kind: delivery.LogActivity, Value: map[string]string{delivery.OfWhom: delivery.Held}}}
	w.finish(d)
	w.stays(w.fetch(d, 0, "sea"), connector.CodeFileNoPerson)
	w.holds(0)
}

func fileFails[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.wire.spoil(&trouble{how: refuse, match: func([]byte) bool { return true }, status: http.StatusInternalServerError})
	w.deliver(&process{}, file)
	time.Sleep(7 * time.Hour)
	w.stays(file, "unavailable")
}

func fileUnwelcome[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	file := w.fetch(d, 0, "sea")
	w.wire.spoil(&trouble{how: refuse, match: func([]byte) bool { return true }, status: http.StatusBadRequest})
	w.stays(file, "refused")
	w.wire.spoil(nil)
	w.finish(w.known(1, 2))
}

func fileOfDeleted[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	w.Files.Delete()
	w.finish(w.fetch(d, 0, "sea"))
	w.filed("sea")
}

// fileUnknown spoils each of the requests for a file, after its effect.
func fileUnknown[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	var all []string
	for _, how := range []spoiling{hangAfter, resetAfter, truncate} {
		for at := 1; ; at++ {
			n := len(all)
			body := "sea " + strconv.Itoa(n)
			file := w.fetch(d, n, body)
			w.wire.spoil(&trouble{how: how, at: at})
			w.deliver(&process{}, file)
			met := w.wire.count() >= at
			w.wire.spoil(nil)
			time.Sleep(lease)
			w.finish(file)
			all = append(all, body)
			if !met {
				break
			}
		}
	}
	w.filed(all...)
}

// fileKilled kills a process at each of its calls for a file, and the next one, too.
func fileKilled[R any](w *world[R]) {
	d := w.unknown(1, 1)
	w.finish(d)
	var all []string
	for _, after := range []bool{false, true} {
		for again := range 4 {
			for at, died := 1, true; died && at < endless; at++ {
				n := len(all)
				body := "sea " + strconv.Itoa(n)
				file := w.fetch(d, n, body)
				first := &process{kill: at, after: after}
				w.deliver(first, file)
				time.Sleep(lease)
				w.deliver(&process{kill: again, after: after}, file)
				time.Sleep(lease)
				w.finish(file)
				all, died = append(all, body), first.died()
			}
		}
	}
	w.filed(all...)
}
