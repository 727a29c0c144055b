package demo

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
)

// TestAFileThatIsNotTheProvidersIsReported: only one that opens from every CRM, and is the provider's, counts as opened.
func TestAFileThatIsNotTheProvidersIsReported(t *testing.T) {
	served := samples.Files{"https://a.example/1": {Base64: []byte("one")}, "https://a.example/2": {Base64: []byte("two")}}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/media/one":
			_, _ = io.WriteString(w, "one")
		case "/v1/media/two":
			_, _ = io.WriteString(w, "two")
		default:
			http.Error(w, "This link has ended.", http.StatusGone)
		}
	}))
	defer gateway.Close()
	const base = "https://hooks.example/v1/media/"
	for sentence, c := range map[string]struct {
		first, second string // what the two CRMs show
		opened        int
		want          string
	}{
		"both files in both":       {base + "one " + base + "two", `<a href="` + base + `two">2</a> ` + base + "one", 2, ""},
		"one CRM shows one of two": {base + "one " + base + "two", base + "one", 0, "1 files open, and they are not the 2 that the provider has"},
		"one CRM shows none":       {base + "one " + base + "two", "", 0, "0 files open"},
		"a link has ended":         {base + "one " + base + "two", base + "one " + base + "three", 0, "a link is answered 410: This link has ended."},
		"one link twice":           {base + "one " + base + "two", base + "one " + base + "one", 0, "1 files open"},
		"a link leads elsewhere":   {"https://other.example/v1/media/one " + base + "two", base + "one " + base + "two", 0, "a link leads elsewhere"},
	} {
		shows := func(text string) []samples.Record {
			return []samples.Record{{Properties: map[string]string{"text": text}}}
		}
		s := Sent{
			reports: []samples.Report{{
				Sample: samples.Sample{Name: "picture", Path: "/v1/accounts/demo/known/messages"},
				Held:   map[string][]samples.Record{"first": shows(c.first), "second": shows(c.second)},
			}},
			told: map[string][]canonical.Event{"picture": {{Message: &canonical.Message{
				Attachments: []canonical.Attachment{{URL: "https://a.example/1"}, {URL: "https://a.example/2"}},
			}}}},
		}
		at := samples.Target{Gateway: gateway.URL, PublicBaseURL: "https://hooks.example", CRMs: map[string]samples.Simulator{"first": {}, "second": {}}}
		var out bytes.Buffer
		err := s.openFiles(t.Context(), &out, served, at)
		if s.opened["known"] != c.opened || err == nil && c.want != "" || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d opened, %v", sentence, s.opened["known"], err)
		}
		out.Reset()
		if err := s.Summarize(&out); err != nil || strings.Count(out.String(), "2") != 1+min(1, c.opened) {
			t.Errorf("%s: %v: %s", sentence, err, &out)
		}
	}
}
