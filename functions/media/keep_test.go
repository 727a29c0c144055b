package media_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/media"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	shared "signalbox/shared/media"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue"
	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

const (
	event  canonical.EventID  = "8f14e45f-ceea-467f-9a8d-3b1d6f0b9c11"
	thread canonical.ThreadID = "t1_0a"
)

var person = strings.Repeat("a", 64)

// world is a Keeper and a Viewer over one memory, and files by their addresses.
type world struct {
	keeper  *media.Keeper
	viewer  *media.Viewer
	parts   media.Parts
	ring    *keyring.Ring
	records *memstore.Store
	objects *memobjects.Store
	files   map[string]any // a file, or the error of reading it
	fetched []string
	log     bytes.Buffer
}

// slow is a file that takes a time.
type slow struct {
	media.File
	takes time.Duration
}

// Fetch is a media.Source.
func (w *world) Fetch(ctx context.Context, a canonical.Attachment, account tenant.Account) (media.File, error) {
	w.fetched = append(w.fetched, strings.TrimSpace(a.URL+" "+account.ID))
	switch file := w.files[a.URL].(type) {
	case slow:
		limited, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		select {
		case <-limited.Done():
			return media.File{}, fault.New(fault.Retryable, media.CodeSlow, nil)
		case <-time.After(file.takes):
			return file.File, nil
		}
	case media.File:
		return file, nil
	case error:
		return media.File{}, file
	default:
		return media.File{}, fault.New(fault.Permanent, media.CodeGone, nil)
	}
}

// Account is a media.Accounts.
func (w *world) Account(_ context.Context, id string) (tenant.Account, error) {
	if id != "demo-a" {
		return tenant.Account{}, tenant.ErrUnknown
	}
	return tenant.Account{ID: id, APIToken: token}, nil
}

func newWorld() *world {
	w := &world{ring: keyringtest.New(), records: memstore.New(), objects: memobjects.New(), files: map[string]any{}}
	id := telemetry.Identity{Function: "media", Version: "1"}
	logger, meter := telemetry.NewLogger(&w.log, id), telemetry.NewMeter(&w.log, id)
	w.parts = media.Parts{Store: w.records, Objects: w.objects, Accounts: w, Source: w, Sealer: w.ring, Logger: logger, Meter: meter}
	w.keeper = media.NewKeeper(w.parts)
	peppers := tenant.NewPeppers(memsecret.New(map[string]secret.Versions{"pepper": {"platform"}}), "pepper")
	w.viewer = media.NewViewer(media.ShowParts{
		Reader: shared.Reader{Store: w.records, Objects: w.objects, Opener: w.ring}, Peppers: peppers, Logger: logger, Meter: meter,
	})
	return w
}

func job(files ...canonical.Attachment) shared.Job {
	return shared.NewJob(&canonical.Event{
		TenantID: "demo", EventID: event, ThreadID: thread, AccountID: "demo-a", Message: &canonical.Message{Attachments: files},
	}, person)
}

func (w *world) keep(t *testing.T, j shared.Job) error {
	t.Helper()
	return w.keeper.Handle(t.Context(), []queue.Received{{Message: queue.Message{ID: string(j.EventID), Body: j.Encode()}}})[0]
}

// open opens a file by a link that holds for an hour.
func (w *world) open(t *testing.T, n int) webhook.Response {
	t.Helper()
	return w.get(t, shared.Link{Tenant: "demo", Event: event, File: n, Until: time.Now().Add(time.Hour)}.Token(canonical.NewPepper("platform", "demo")))
}

func (w *world) get(t *testing.T, token string) webhook.Response {
	t.Helper()
	return w.viewer.Serve(t.Context(), webhook.Request{Method: http.MethodGet, Path: shared.Path + token})
}

func picture(url string) canonical.Attachment {
	return canonical.Attachment{URL: url, Name: "Kim's flat.png"}
}

func TestAFileIsKeptSealedAndOpenedByALink(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.files["https://files.example.com/1"] = media.File{Type: "image/png", Body: []byte(png)}
	a := picture("https://files.example.com/1")
	a.Access = &canonical.Access{Scheme: "bearer"}
	if err := w.keep(t, job(a)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"https://files.example.com/1 demo-a"}, w.fetched); diff != "" {
		t.Error(diff)
	}
	names := w.objects.Names()
	if len(names) != 1 || !strings.HasPrefix(names[0], "media/demo/t1_0a/"+string(event)+"/0-") {
		t.Fatalf("kept as %v", names)
	}
	if kept, err := w.objects.Get(t.Context(), names[0]); err != nil || bytes.Contains(kept, []byte("and so on")) {
		t.Errorf("%v: the file is in the clear", err)
	}
	got := w.open(t, 0)
	want := webhook.Response{Status: 200, ContentType: "image/png", Body: []byte(png), Header: map[string]string{
		"cache-control": "private, no-store", "x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'",
		"referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin", "x-robots-tag": "noindex",
		"content-disposition": `attachment; filename="Kim's flat.png"`,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, private := range []string{"files.example.com", "flat", token, person} {
		if strings.Contains(w.log.String(), private) {
			t.Errorf("the log has %q", private)
		}
	}
}

// TestFilesOfAPersonWhoWasErasedOpenNoMore: without the key nobody reads what is left, whoever holds the bucket.
func TestFilesOfAPersonWhoWasErasedOpenNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.files["https://files.example.com/1"] = media.File{Type: "image/png", Body: []byte(png)}
	if err := w.keep(t, job(picture("https://files.example.com/1"))); err != nil {
		t.Fatal(err)
	}
	if err := w.ring.DeletePerson(t.Context(), "demo", person); err != nil {
		t.Fatal(err)
	}
	if got := w.open(t, 0); got.Status != http.StatusGone || !strings.Contains(string(got.Body), "erased") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	sealed, err := w.objects.Get(t.Context(), w.objects.Names()[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ring.Open(t.Context(), keyring.Place{Tenant: "demo", Purpose: "media", Name: w.objects.Names()[0]}, sealed)
	if !fault.Is(err, keyring.CodeErased) {
		t.Errorf("the object opens: %v", err)
	}
}

func TestWhatBecomesOfAFile(t *testing.T) {
	t.Parallel()
	retry := fault.New(fault.Retryable, media.CodeUnavailable, nil)
	for sentence, c := range map[string]struct {
		files    map[string]any
		job      []string // addresses
		account  string
		scheme   string
		err      string
		statuses []int // of links to them
		says     string
	}{
		"one that its provider has no more is known as gone": {
			job: []string{"https://a/1"}, statuses: []int{410}, says: "its provider has it no more (media_gone)",
		},
		"one that leads inside is known as refused": {
			files: map[string]any{"https://a/1": fault.New(fault.Permanent, media.CodeHost, nil)}, job: []string{"https://a/1"}, statuses: []int{410},
			says: "its address does not lead to a public server (media_host_refused)",
		},
		"one that cannot be read just now is tried again, and the others are kept": {
			files: map[string]any{"https://a/1": retry, "https://a/2": media.File{Type: "text/plain", Body: []byte("hello")}},
			job:   []string{"https://a/1", "https://a/2"}, err: media.CodeUnavailable, statuses: []int{404, 200}, says: "not here yet",
		},
		"one that is too large for a link is kept and not shown": {
			files: map[string]any{"https://a/1": media.File{Type: "video/mp4", Body: make([]byte, 5_000_000)}}, job: []string{"https://a/1"},
			statuses: []int{413}, says: "too large to be opened by a link",
		},
		"one of an account that is gone waits for it": {
			job: []string{"https://a/1"}, account: "gone", scheme: "basic", err: media.CodeAccount, statuses: []int{404}, says: "not here yet",
		},
		"an account that is gone does not matter where nothing is read with it": {
			files: map[string]any{"https://a/1": media.File{Type: "text/plain", Body: []byte("hello")}}, job: []string{"https://a/1"}, account: "gone", statuses: []int{200}, says: "hello",
		},
		"none at all": {},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			maps.Copy(w.files, c.files)
			var files []canonical.Attachment
			for _, url := range c.job {
				a := canonical.Attachment{URL: url}
				if c.scheme != "" {
					a.Access = &canonical.Access{Scheme: c.scheme}
				}
				files = append(files, a)
			}
			j := job(files...)
			if c.account != "" {
				j.AccountID = c.account
			}
			err := w.keep(t, j)
			if (err != nil) != (c.err != "") || err != nil && !fault.Is(err, c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			for n, status := range c.statuses {
				if got := w.open(t, n); got.Status != status || n == 0 && !strings.Contains(string(got.Body), c.says) && status != 200 {
					t.Errorf("file %d: %d %.100s", n, got.Status, got.Body)
				}
			}
		})
	}
}

// TestAJobThatComesAgain fetches nothing that is known, and what is known stays.
func TestAJobThatComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.files["https://a/1"] = media.File{Type: "text/plain", Body: []byte("first")}
	files := []canonical.Attachment{{URL: "https://a/1"}, {URL: "https://a/2"}}
	if err := w.keep(t, job(files...)); err != nil {
		t.Fatal(err)
	}
	w.files["https://a/1"] = media.File{Type: "text/plain", Body: []byte("second")}
	w.files["https://a/2"] = media.File{Type: "text/plain", Body: []byte("late")}
	if err := w.keep(t, job(files...)); err != nil {
		t.Fatal(err)
	}
	if len(w.fetched) != 2 || string(w.open(t, 0).Body) != "first" || w.open(t, 1).Status != http.StatusGone {
		t.Errorf("fetched %v", w.fetched)
	}
}

// TestSlowFilesHoldUpNoOthers: those behind them are fetched at the same attempt, and those that are slow themselves once their turn to be
// the first has come. An attempt ends before its time does, so that the next one waits.
func TestSlowFilesHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		hello := media.File{Type: "text/plain", Body: []byte("hello")}
		w.files["https://a/1"], w.files["https://a/2"] = slow{takes: time.Hour}, slow{takes: time.Hour}
		w.files["https://a/3"], w.files["https://a/4"] = slow{hello, 12 * time.Second}, slow{hello, time.Second}
		j := job(picture("https://a/1"), picture("https://a/2"), picture("https://a/3"), picture("https://a/4"))
		for attempt := 1; attempt <= 3; attempt++ {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			head := queue.Received{Attempt: attempt, Message: queue.Message{Body: j.Encode()}}
			if err := w.keeper.Handle(ctx, []queue.Received{head})[0]; !fault.Is(err, media.CodeSlow) || ctx.Err() != nil {
				t.Errorf("attempt %d: %v, %v", attempt, err, ctx.Err())
			}
			cancel()
			if got := w.open(t, 3).Status; got != http.StatusOK {
				t.Errorf("after attempt %d the good file behind the slow ones: %d", attempt, got)
			}
		}
		if got := w.open(t, 2).Status; got != http.StatusOK {
			t.Errorf("the file that takes most of an attempt: %d", got)
		}
	})
}

// dying fails at one call, before or after its effect, as a function does that is killed there.
type dying struct{ calls, at int }

var errDead = errors.New("dead")

func (d *dying) call(effect func() error) error {
	d.calls++
	if d.calls == d.at {
		return errDead
	}
	err := effect()
	if d.calls == -d.at {
		return errDead
	}
	return err
}

// TestAKilledKeeper: at whichever call it dies, the next one ends with each file kept once and readable.
func TestAKilledKeeper(t *testing.T) {
	t.Parallel()
	for _, after := range []int{1, -1} {
		for at := 1; at <= 5; at++ {
			w := newWorld()
			w.files["https://a/1"] = media.File{Type: "text/plain", Body: []byte("one")}
			w.files["https://a/2"] = media.File{Type: "text/plain", Body: []byte("two")}
			d := &dying{at: at * after}
			parts := w.parts
			parts.Store, parts.Objects = dyingStore{d, w.records}, dyingObjects{d, w.objects}
			files := []canonical.Attachment{{URL: "https://a/1"}, {URL: "https://a/2"}}
			first := media.NewKeeper(parts).Handle(t.Context(), []queue.Received{{Message: queue.Message{Body: job(files...).Encode()}}})[0]
			if !errors.Is(first, errDead) {
				t.Errorf("call %d: %v", d.at, first)
			}
			if err := w.keep(t, job(files...)); err != nil {
				t.Fatal(err)
			}
			if one, two := w.open(t, 0), w.open(t, 1); string(one.Body) != "one" || string(two.Body) != "two" || len(w.objects.Names()) != 2 {
				t.Errorf("call %d: %s %s %v", d.at, one.Body, two.Body, w.objects.Names())
			}
		}
	}
}

type dyingStore struct {
	*dying
	to media.Store
}

func (d dyingStore) Get(ctx context.Context, keys ...store.Key) (held []store.Record, err error) {
	err = d.call(func() (err error) { held, err = d.to.Get(ctx, keys...); return err })
	return held, err
}

func (d dyingStore) Write(ctx context.Context, changes ...store.Change) (now []store.Record, err error) {
	err = d.call(func() (err error) { now, err = d.to.Write(ctx, changes...); return err })
	return now, err
}

type dyingObjects struct {
	*dying
	to media.Objects
}

func (d dyingObjects) Put(ctx context.Context, name string, data []byte) error {
	return d.call(func() error { return d.to.Put(ctx, name, data) })
}

func TestWhoeverHasNoLinkSeesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.files["https://a/1"] = media.File{Type: "text/plain", Body: []byte("hello")}
	if err := w.keep(t, job(canonical.Attachment{URL: "https://a/1"})); err != nil {
		t.Fatal(err)
	}
	pepper := canonical.NewPepper("platform", "demo")
	link := shared.Link{Tenant: "demo", Event: event, Until: time.Now().Add(time.Hour)}
	ended := link
	ended.Until = time.Now().Add(-time.Second)
	for sentence, c := range map[string]struct {
		token  string
		status int
	}{
		"a link":                         {link.Token(pepper), 200},
		"one that has ended":             {ended.Token(pepper), 410},
		"one with a later end":           {strings.Replace(ended.Token(pepper), ended.Token(pepper)[43:49], "zzzzzz", 1), 404},
		"one under another tenant's key": {link.Token(canonical.NewPepper("platform", "acme")), 404},
		"nothing":                        {"", 404},
		"a path":                         {"../../etc/passwd", 404},
	} {
		got := w.get(t, c.token)
		if got.Status != c.status || c.status == 404 && string(got.Body) != `{"message":"Not Found"}` {
			t.Errorf("%s: %d %s", sentence, got.Status, got.Body)
		}
	}
	post := w.viewer.Serve(t.Context(), webhook.Request{Method: http.MethodPost, Path: shared.Path + link.Token(pepper)})
	if post.Status != 404 {
		t.Errorf("a POST: %d", post.Status)
	}
}

func TestAFileIsSavedByAHarmlessName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.png": `attachment; filename=a.png`, "": `attachment; filename=file-1.png`, "../../etc/passwd": `attachment; filename=_.._etc_passwd`,
		"a\r\nSet-Cookie: x=1": `attachment; filename="a__Set-Cookie_ x=1"`, `a".png`: `attachment; filename=a_.png`, "füße.png": "attachment; filename*=utf-8''f%C3%BC%C3%9Fe.png",
		"..": `attachment; filename=file-1.png`, strings.Repeat("n", 300): `attachment; filename=file-1.png`,
	} {
		w := newWorld()
		w.files["https://a/1"] = media.File{Type: "image/png", Body: []byte(png)}
		if err := w.keep(t, job(canonical.Attachment{URL: "https://a/1", Name: name})); err != nil {
			t.Fatal(err)
		}
		if got := w.open(t, 0).Header["content-disposition"]; got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestAFileIsScannedBeforeItIsKept(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		err  string
		link int
	}{200: {"", 200}, 204: {"", 200}, 422: {"", 410}, 500: {media.CodeScan, 404}, 302: {media.CodeScan, 404}, 404: {media.CodeScan, 404}} {
		var scanned string
		scanner := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			scanned = r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
			rw.WriteHeader(status)
		}))
		w := newWorld()
		w.files["https://a/1"] = media.File{Type: "text/plain", Body: []byte("hello")}
		w.parts.Scanner = media.NewHTTPScanner(scanner.URL)
		w.keeper = media.NewKeeper(w.parts)
		err := w.keep(t, job(canonical.Attachment{URL: "https://a/1"}))
		scanner.Close()
		if (err != nil) != (c.err != "") || err != nil && !fault.Is(err, c.err) || scanned != "POST text/plain hello" {
			t.Errorf("%d: %v, scanned %q", status, err, scanned)
		}
		if got := w.open(t, 0); got.Status != c.link || len(w.objects.Names()) > 0 != (c.link == 200) {
			t.Errorf("%d: the link is %d, kept %v", status, got.Status, w.objects.Names())
		}
	}
}

func TestAJobThatCannotBeReadIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld()
	err := w.keeper.Handle(t.Context(), []queue.Received{{Message: queue.Message{Body: []byte("{}")}}})[0]
	if f := fault.Of(err); f == nil || f.Kind != fault.Permanent || f.Code != shared.CodeJob {
		t.Error(err)
	}
	if slices.Contains(w.fetched, "") {
		t.Error(w.fetched)
	}
}
