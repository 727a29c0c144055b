package local_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// picture is a message with a picture.
func (w *world) picture() samples.Sample {
	s := w.sample()
	for i, field := range s.Form {
		if field[0] == "NumMedia" {
			s.Form[i][1] = "1"
		}
	}
	s.Form = append(s.Form, [2]string{"MediaUrl0", "https://api.example.com/picture"}, [2]string{"MediaContentType0", "image/jpeg"})
	return s
}

// TestAFileIsPutIntoEachCRM is a message with a picture, twice, with unmodified binaries, of a tenant that wants files in its CRMs: each has it
// once, and its link, too.
func TestAFileIsPutIntoEachCRM(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	file, err := w.Tenant()
	if err != nil {
		t.Fatal(err)
	}
	tenant, _ := file["tenant"].(map[string]any)
	timeline, _ := tenant["timeline"].(map[string]any)
	timeline["files"] = "crm"
	if reasons := w.apply(ctx, file); len(reasons) > 0 {
		t.Fatal(reasons)
	}
	w.Recycle()
	s := w.picture()
	w.deliver(ctx, s)
	w.deliver(ctx, s)
	w.rest(ctx)
	for crm, about := range w.Simulated {
		records, err := w.client.Records(ctx, crm, about.Files.Object)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != 1 {
			t.Fatalf("%s has %d files", crm, len(records))
		}
		body, err := base64.StdEncoding.DecodeString(records[0].Properties[about.Files.Text])
		if err != nil || !strings.HasPrefix(string(body), "\x89PNG") {
			t.Errorf("%s has %.40q: %v", crm, body, err)
		}
	}
	if refused := w.Refused(); len(refused) > 0 {
		t.Errorf("roles do not allow %v", refused)
	}
}

// TestAFileIsOpenedFromWhatACRMShows is a message with a picture, with unmodified binaries: whoever opens the link in a CRM gets it, until the
// person is erased.
func TestAFileIsOpenedFromWhatACRMShows(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	w.deliver(ctx, w.picture())
	w.rest(ctx)
	links := map[string]bool{}
	for crm, about := range w.Simulated {
		before := len(links)
		for _, object := range about.Objects {
			records, err := w.client.Records(ctx, crm, object)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				for _, value := range r.Properties {
					for _, link := range regexp.MustCompile(`https://[^\s"<>()]+/v1/media/[A-Za-z0-9._-]+`).FindAllString(value, -1) {
						links[link] = true
					}
				}
			}
		}
		if len(links) == 0 || before > 0 && len(links) != before {
			t.Errorf("%s shows %d links", crm, len(links))
		}
	}
	get := func(link string) (status int, kind, body string) {
		path, _ := strings.CutPrefix(link, w.PublicBaseURL)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Gateway+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reply.Body.Close() }()
		data, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.StatusCode, reply.Header.Get("Content-Type") + " " + reply.Header.Get("Content-Disposition"), string(data)
	}
	for link := range links {
		if status, kind, body := get(link); status != http.StatusOK || kind != "image/png attachment; filename=file-1.png" || !strings.HasPrefix(body, "\x89PNG") {
			t.Errorf("%d %s %.40q", status, kind, body)
		}
		if status, _, body := get(link[:len(link)-1]); status != http.StatusNotFound || body != `{"message":"Not Found"}` {
			t.Errorf("a link cut short: %d %s", status, body)
		}
	}
	keys := w.Table("PersonKeysTable")
	for _, key := range slices.Collect(keys.All()) {
		if _, err := keys.Write(ctx, store.Change{Kind: store.Delete, Record: store.Record{Key: key.Key, Version: key.Version}}); err != nil {
			t.Fatal(err)
		}
	}
	w.Recycle() // what a process holds it forgets within minutes: keyring.PersonFresh
	for link := range links {
		if status, _, body := get(link); status != http.StatusGone || !strings.Contains(body, "erased") {
			t.Errorf("after %s: %d %.60s", keyring.CodeErased, status, body)
		}
	}
	if refused := w.Refused(); len(refused) > 0 {
		t.Errorf("roles do not allow %v", refused)
	}
}

// TestALargeMessageReachesEveryCRM is a message that no queue takes, with unmodified binaries and their rights.
func TestALargeMessageReachesEveryCRM(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	s := w.sample()
	for i, field := range s.Form {
		if field[0] == "Body" {
			s.Form[i][1] = strings.Repeat("€", 99_999)
		}
	}
	w.deliver(ctx, s)
	w.rest(ctx)
	if !w.shown(ctx, s) || !w.empty() {
		t.Errorf("it is not in every CRM, or something was given up: %v", w.held(ctx))
	}
	if refused := w.Refused(); len(refused) > 0 {
		t.Errorf("roles do not allow %v", refused)
	}
}
