package maptest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/mapping"
	"signalbox/shared/queue"
)

// simulated is a CRM of the tenant's, and what it was sent. It is an http.RoundTripper: what passes it is written down.
type simulated struct {
	name    string
	token   string
	to      http.RoundTripper
	content mapping.Content
	handler queue.Handler

	requests []string
	fields   mapping.Fields
	left     []mapping.Left
}

// begin forgets what was before.
func (s *simulated) begin() { s.requests, s.fields, s.left = nil, nil, nil }

// RoundTrip writes a request down and lets the simulator answer. What could let somebody in is not written.
func (s *simulated) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	text := readable(r.Method+" "+r.URL.RequestURI(), r.Header.Get("Content-Type"), body)
	if s.token != "" {
		text = strings.ReplaceAll(text, s.token, "(secret)")
	}
	s.requests = append(s.requests, text)
	return s.to.RoundTrip(r)
}

// readable returns a request as people read it: its JSON indented, and those of a batch below it, one after the other.
func readable(line, contentType string, body []byte) string {
	var shown bytes.Buffer
	kind, params, _ := mime.ParseMediaType(contentType)
	switch {
	case len(body) == 0:
		return line
	case kind == "multipart/mixed":
		for parts := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err != nil { // the end
				return line + shown.String()
			}
			one, err := http.ReadRequest(bufio.NewReader(part))
			if err != nil {
				return line + "\n(" + kind + ", not shown)"
			}
			inner, _ := io.ReadAll(one.Body) // of memory
			shown.WriteString("\n" + readable(one.Method+" "+one.RequestURI, one.Header.Get("Content-Type"), inner))
		}
	case kind != "application/json": // of sessions, and of files
		return line + "\n(" + kind + ", not shown)"
	case json.Indent(&shown, body, "", "  ") != nil:
		return line + "\n(not JSON)"
	}
	return line + "\n" + strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(shown.String()) // the same JSON
}

// explain keeps what a mapping makes of a delivery.
func (s *simulated) explain(_ delivery.Delivery, fields mapping.Fields, left []mapping.Left) {
	s.fields, s.left = fields, left
}

// entry returns an entry of the mapping as a person finds it in the file.
func (s *simulated) entry(o mapping.Object, i int) string {
	e := map[mapping.Object][]mapping.Entry{
		mapping.Person: s.content.Person, mapping.Lead: s.content.Lead, mapping.Activity: s.content.Activity, mapping.Conversation: s.content.Conversation,
	}[o][i]
	from := "from " + e.From
	if e.From == "" {
		from = "value"
	}
	if e.When != nil {
		from += ", when " + e.When.Path
	}
	return fmt.Sprintf("%s[%d] %s", o, i, from)
}

// write writes what was sent for a delivery, what became of each mapped field, and which work is left undone.
func (s *simulated) write(out io.Writer, progress map[string]map[string]string) {
	var b strings.Builder
	for _, text := range s.requests {
		b.WriteString(text + "\n")
	}
	for _, o := range mapping.Objects() {
		for _, f := range s.fields[o] {
			value, _ := json.Marshal(f.Value) // a text, a number or a truth value
			fmt.Fprintf(&b, "- %s.%s = %s (%s", o, f.Name, value, s.entry(o, f.Index))
			if f.Cut {
				b.WriteString(", cut")
			}
			if !f.Always {
				b.WriteString(", once")
			}
			b.WriteString(")\n")
		}
		for _, l := range s.left {
			if l.Object == o {
				fmt.Fprintf(&b, "- %s.%s is left out: %s (%s)\n", o, l.Name, l.Code, s.entry(o, l.Index))
			}
		}
	}
	_, _ = io.WriteString(out, b.String()+undone(progress))
}

// undone returns what the steps of a delivery say that they did not do.
func undone(progress map[string]map[string]string) string {
	var b strings.Builder
	if code := progress[connector.StepFields][connector.ResultRefused]; code != "" {
		b.WriteString("- all fields are left out: the CRM refused a write with them: " + code + "\n")
	}
	for _, step := range slices.Sorted(maps.Keys(progress)) {
		if code := progress[step][connector.ResultLeft]; code != "" {
			b.WriteString("- " + step + " is left undone: " + code + "\n")
		}
	}
	for _, result := range progress {
		if object := result[connector.ResultUnwritten]; object != "" {
			b.WriteString("- fields of the " + object + " are not written: this CRM writes that record only with how the conversation stands, which is not shown here\n")
		}
	}
	return b.String()
}
