package router_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/spool"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// jobs is the queue of whoever fetches files.
type jobs struct {
	sent []queue.Message
	err  error
}

func (q *jobs) Publish(_ context.Context, messages ...queue.Message) error {
	if q.err == nil {
		q.sent = append(q.sent, messages...)
	}
	return q.err
}

// withFiles returns a world whose router has files fetched.
func withFiles(files tenant.Files) (*world, *jobs) {
	w, q := newWorld(), &jobs{}
	w.tenant.Timeline = tenant.DefaultTimeline()
	w.tenant.Timeline.Files = files
	w.router = router.New(w.ring, router.Parts{
		Store: w.store, Log: w.store, Tenants: w, Peppers: w, Engine: rules.Ordered{}, Events: w,
		Claims: idempotency.New(w.store, 35*time.Second), Outbox: w.outbox(), Standings: map[string]queue.Publisher{"hubspot": &w.standings},
		Files: router.Files{Jobs: q, Base: "https://hooks.example.com"},
	})
	return w, q
}

// photo is a message with a file that is read by credentials.
func photo(e *canonical.Event) {
	e.Message.Attachments = []canonical.Attachment{{URL: "https://api.example.com/1", ContentType: "image/png", Access: &canonical.Access{Scheme: "basic"}}}
}

// TestFilesAreFetchedAndShownByLinks: the job says how a file is read, and no CRM does. A message that comes again asks again, by the same
// link.
func TestFilesAreFetchedAndShownByLinks(t *testing.T) {
	t.Parallel()
	w, q := withFiles(tenant.FilesByLink)
	e := event("look", photo)
	w.link(t, e)
	for range 2 {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.sent) != 2 || q.sent[0].ID != string(e.EventID) || q.sent[0].Group != "demo" {
		t.Fatalf("%d jobs", len(q.sent))
	}
	job, err := media.Decode(w.opened(t, q.sent[0].Body))
	record, _ := w.record(t, e)
	want := media.Job{
		TenantID: "demo", EventID: e.EventID, ThreadID: e.ThreadID, AccountID: "demo-twilio", Person: record.Decision.Person.Key, Files: e.Message.Attachments,
	}
	if diff := cmp.Diff(want, job); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	shown := w.deliveries(t)
	token, ok := strings.CutPrefix(shown[0].Event.Message.Attachments[0].URL, "https://hooks.example.com/v1/media/")
	pepper, _ := w.Pepper(t.Context(), "demo")
	link, valid := media.Parse(token, "demo", pepper)
	if !ok || !valid || link.Event != e.EventID || !link.Until.Equal(at.Add(720*time.Hour)) || shown[0].Event.Message.Attachments[0].Access != nil {
		t.Errorf("shown as %+v", shown[0].Event.Message.Attachments[0])
	}
	if diff := cmp.Diff(shown[0].Event.Message, shown[1].Event.Message); diff != "" {
		t.Error(diff)
	}
	if e.Message.Attachments[0].URL != "https://api.example.com/1" {
		t.Error("the event itself was changed")
	}
}

func TestFilesThatNobodyIsToOpenAreNotFetched(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		files  tenant.Files
		change func(*tenant.Tenant)
		event  func(*canonical.Event)
		shown  string
	}{
		"the tenant shows where they are":  {tenant.FilesByAddress, nil, photo, "https://api.example.com/1"},
		"words stay here, and so do files": {tenant.FilesByLink, func(t *tenant.Tenant) { t.Timeline.Words = tenant.WordsDigest }, photo, ""},
		"there are none":                   {tenant.FilesByLink, nil, nil, ""},
	} {
		w, q := withFiles(c.files)
		if c.change != nil {
			c.change(&w.tenant)
		}
		e := event("look", c.event)
		w.link(t, e)
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
		shown := ""
		for _, a := range w.deliveries(t)[0].Event.Message.Attachments {
			shown += a.URL
		}
		if len(q.sent) > 0 || shown != c.shown {
			t.Errorf("%s: %d jobs, shown %q", sentence, len(q.sent), shown)
		}
	}
}

// TestAQueueOfFilesThatFailsHoldsUpNoThread: what a CRM is to show is asked for later, as often as it takes.
func TestAQueueOfFilesThatFailsHoldsUpNoThread(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.Retryable, fault.Throttled, fault.Blocked} {
		synctest.Test(t, func(t *testing.T) {
			w, q := withFiles(tenant.FilesByLink)
			e := event("look", photo)
			w.link(t, e)
			waits := func() (n int) { // but for what looks after the conversation
				for _, r := range w.due() {
					if at, _ := spool.At(r); at.Before(time.Now().Add(time.Hour)) {
						n++
					}
				}
				return n
			}
			q.err = fault.New(kind, "queue_failed", nil)
			w.routeAll(t, e)
			w.pass(t, time.Now().Add(25*time.Minute))
			if q.err = nil; waits() != 1 {
				t.Fatalf("%v: %d wait", kind, waits())
			}
			w.pass(t, time.Now().Add(25*time.Minute))
			if waits() != 0 || len(q.sent) != 1 || len(w.deliveries(t)) != 1 {
				t.Fatalf("%v: %d wait, %d jobs, %d deliveries", kind, waits(), len(q.sent), len(w.deliveries(t)))
			}
			if job, err := media.Decode(w.opened(t, q.sent[0].Body)); err != nil || job.EventID != e.EventID || job.Files[0].Access == nil {
				t.Errorf("%v: %+v", err, job)
			}
		})
	}
}

// TestAJobThatNoQueueTakesIsADeadLetter, which says so: it would be refused again.
func TestAJobThatNoQueueTakesIsADeadLetter(t *testing.T) {
	t.Parallel()
	w, q := withFiles(tenant.FilesByLink)
	e := event("look", photo)
	w.link(t, e)
	q.err = fault.New(fault.Permanent, "queue_message_too_large", nil)
	if err := w.route(t, message(t, e)); !fault.Is(err, "queue_message_too_large") {
		t.Error(err)
	}
}

// TestFilesAreSentIntoTheCRM: each by a delivery that says nothing of the message and waits for nobody; links are shown as well. Where files are
// shown by links alone there is none.
func TestFilesAreSentIntoTheCRM(t *testing.T) {
	t.Parallel()
	for files, want := range map[tenant.Files]int{tenant.FilesInCRM: 2, tenant.FilesByLink: 0, tenant.FilesByAddress: 0} {
		w, q := withFiles(files)
		e := event("look", func(e *canonical.Event) {
			photo(e)
			e.Message.Attachments = append(e.Message.Attachments, e.Message.Attachments[0])
		})
		w.link(t, e)
		for range 2 {
			if err := w.route(t, message(t, e)); err != nil {
				t.Fatal(err)
			}
		}
		shown, groups := w.deliveries(t), map[string]string{}
		for _, sent := range w.sent {
			groups[sent.Group] = sent.ID
		}
		found := map[delivery.ID]bool{}
		for _, d := range shown {
			n, ok := d.File()
			if !ok {
				continue
			}
			if d.ID != delivery.NewFileID(e.EventID, "hubspot", n) || groups[string(d.ID)] != string(d.ID) || d.Event.Message != nil || d.Person.Key == "" || !d.Event.Timestamp.Equal(e.Timestamp) {
				t.Errorf("%s: %+v in group %q", files, d, groups[string(d.ID)])
			}
			found[d.ID] = true
		}
		if len(found) != want || len(shown) != 2*(1+want) || (files == tenant.FilesByAddress) != (len(q.sent) == 0) {
			t.Errorf("%s: %d deliveries, %d files, %d jobs", files, len(shown), len(found), len(q.sent))
		}
	}
}
