package adaptertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/shared/webhook"
)

// Case is one recorded webhook, unsigned: the suite signs it.
type Case struct {
	Name     string            `json:"name"`
	Path     string            `json:"path"`
	Query    string            `json:"query,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Form     [][2]string       `json:"form,omitempty"`   // sent as application/x-www-form-urlencoded in this order
	Body     string            `json:"body,omitempty"`   // sent as it stands, where there is no form
	JSON     json.RawMessage   `json:"json,omitempty"`   // sent as application/json, byte for byte as it stands here
	Base64   []byte            `json:"base64,omitempty"` // sent as it stands, where it is no text
	Received time.Time         `json:"received,omitzero"`
	Shows    string            `json:"shows,omitempty"` // of a sample of a status: what CRMs show then; not the adapter's to know
}

// Request returns the webhook as it would be received.
func (c Case) Request() webhook.Request {
	r := webhook.Request{Method: http.MethodPost, Path: c.Path, RawQuery: c.Query, Header: http.Header{}, Body: []byte(c.Body), Received: c.Received}
	for name, value := range c.Headers {
		r.Header.Set(name, value)
	}
	if len(c.Base64) > 0 {
		r.Body = c.Base64
	}
	if len(c.Form) > 0 {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var pairs []string
		for _, field := range c.Form {
			pairs = append(pairs, url.QueryEscape(field[0])+"="+url.QueryEscape(field[1]))
		}
		r.Body = []byte(strings.Join(pairs, "&"))
	}
	if len(c.JSON) > 0 {
		r.Header.Set("Content-Type", "application/json")
		r.Body = c.JSON
	}
	if r.Received.IsZero() {
		r.Received = Clock()
	}
	return r
}

// Clock is when a case was received that does not say.
func Clock() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// ReadCase reads one file of the shape of Case.
func ReadCase(t testing.TB, file string) Case {
	t.Helper()
	data, err := fs.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var c Case
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// readFolder reads testdata/<case>/request.json, or request.http: a request as on the wire, without a signature.
func readFolder(t testing.TB, folder string) Case {
	t.Helper()
	raw, err := fs.ReadFile(os.DirFS(folder), "request.http")
	if errors.Is(err, fs.ErrNotExist) {
		return ReadCase(t, filepath.Join(folder, "request.json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}
	c := Case{Path: r.URL.Path, Query: r.URL.RawQuery, Headers: map[string]string{}, Body: string(body)}
	for name := range r.Header {
		c.Headers[name] = r.Header.Get(name)
	}
	return c
}

// folders returns the folders of testdata that hold a request, by name.
func folders(t testing.TB) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"request.json", "request.http"} {
		files, err := filepath.Glob(filepath.Join("testdata", "*", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			found = append(found, filepath.Dir(file))
		}
	}
	if len(found) == 0 {
		t.Fatal("testdata holds no case: record a webhook as testdata/<case>/request.json")
	}
	return found
}
