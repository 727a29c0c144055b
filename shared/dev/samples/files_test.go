package samples_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"signalbox/shared/dev/samples"
)

// TestFilesAreServedAsTheirProvidersDo: who may read them, by which steps, and that what is read at the end has the digest that is told of the
// address at the beginning.
func TestFilesAreServedAsTheirProvidersDo(t *testing.T) {
	const opened = "0000000000000000000000000000000000000000000000000000000000000001"
	files := samples.Files{
		"https://a.example/bytes":  {ContentType: "text/plain", Base64: []byte("hello")},
		"https://a.example/needs":  {Needs: map[string]string{"Authorization": "Bearer ", "Owner": "me"}},
		"https://a.example/leads":  {Location: "https://b.example/bytes?signature=1"},
		"https://b.example/bytes":  {ContentType: "text/plain", Base64: []byte("world")},
		"https://a.example/answer": {JSON: []byte(`{"url":"https://b.example/bytes"}`), Opens: opened},
	}
	for sentence, c := range map[string]struct {
		address string
		header  http.Header
		status  int
		body    string // "" for a picture
	}{
		"bytes":                          {"https://a.example/bytes?a=b", nil, 200, "hello"},
		"without a header that it needs": {"https://a.example/needs", http.Header{"Authorization": {"Bearer x"}}, 401, "Owner\n"},
		"with another value":             {"https://a.example/needs", http.Header{"Authorization": {"Basic x"}, "Owner": {"me"}}, 401, "Authorization\n"},
		"with what it needs":             {"https://a.example/needs", http.Header{"Authorization": {"Bearer x"}, "Owner": {"me"}}, 200, ""},
		"it leads on":                    {"https://a.example/leads", nil, 307, "-"},
		"an answer":                      {"https://a.example/answer", nil, 200, `{"url":"https://b.example/bytes"}`},
		"one that nobody knows":          {"https://c.example/1", nil, 200, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.address, nil)
		maps.Copy(r.Header, c.header)
		w := httptest.NewRecorder()
		files.ServeHTTP(w, r)
		body := w.Body.Bytes()
		sum := sha256.Sum256(body)
		switch same := hex.EncodeToString(sum[:]) == files.Digest(c.address); {
		case w.Code != c.status:
			t.Errorf("%s: %d %s", sentence, w.Code, body)
		case c.body == "" || c.body == "hello":
			if _, err := png.Decode(bytes.NewReader(body)); c.body == "" && err != nil || !same {
				t.Errorf("%s: %v, the digest is the body's: %t", sentence, err, same)
			}
		case c.body != "-" && string(body) != c.body:
			t.Errorf("%s: %q", sentence, body)
		}
	}
	for address, want := range map[string]string{
		"https://a.example/leads":    files.Digest("https://b.example/bytes"),
		"https://a.example/answer#f": opened,
	} {
		if got := files.Digest(address); got != want {
			t.Errorf("%s opens %s, want %s", address, got, want)
		}
	}
	if files.Digest("https://c.example/1") == files.Digest("https://c.example/2") {
		t.Error("two addresses have one picture")
	}
}
