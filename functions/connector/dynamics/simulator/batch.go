package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxParts is how many requests a batch may have.
const maxParts = 1000

// part is one request of a batch, or the change set of several.
type part struct {
	request
	id     string // Content-ID
	set    []part
	broken bool // its body ends where its lines say that more follows
}

// batch returns POST $batch: the replies to its requests, up to the first that is refused unless the request prefers to go on. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api.
func (s *Simulator) batch(r request) reply {
	if r.method != http.MethodPost {
		return noResource(r.root + r.path).reply()
	}
	parts, fault := r.parts(r.header.Get("Content-Type"), r.body, false)
	if fault != nil {
		return fault.reply()
	}
	onwards := slices.Contains(preferences(r.header), "odata.continue-on-error")
	out := newAnswer("batchresponse", s.requestID())
	status := http.StatusOK
	for _, p := range parts {
		var reached int
		if p.set != nil {
			reached = s.changeSet(out, p.set, s.requestID())
		} else {
			answer := s.performPart(p)
			out.add(p.request, p.id, answer, s.requestID())
			reached = answer.Status
		}
		if reached >= http.StatusBadRequest && !onwards {
			status = reached
			break
		}
	}
	return reply{
		Status: status, Body: json.RawMessage(out.end()),
		Header: http.Header{"Content-Type": {"multipart/mixed; boundary=" + out.boundary}, "Odata-Version": {"4.0"}},
	}
}

// changeSet carries the requests of a change set out, or none of them: then the one that was refused alone has a reply. It returns the
// status of the last. Microsoft's client for Python (tests/unit/data/test_batch_edge_cases.py) reads the reply so.
func (s *Simulator) changeSet(out *answer, set []part, id string) (status int) {
	mark, named := len(s.undo), map[string]string{}
	inner := newAnswer("changesetresponse", id)
	for _, p := range set {
		p.named = named
		var answer reply
		if p.method == http.MethodGet {
			answer = bad(codeArgument, "GET requests are not allowed in a change set.").reply()
		} else {
			answer = s.performPart(p)
		}
		if status = answer.Status; status >= http.StatusBadRequest {
			s.rollBack(mark)
			inner = newAnswer("changesetresponse", id)
		}
		inner.add(p.request, p.id, answer, id)
		if status >= http.StatusBadRequest {
			break
		}
		if p.id != "" {
			named[p.id] = p.made(answer)
		}
	}
	out.nest(inner)
	return status
}

func (s *Simulator) performPart(p part) reply {
	if p.broken {
		return payload(p.path, "System.ArgumentException: Stream was not readable.").reply()
	}
	if name, isName := strings.CutPrefix(p.path, "$"); isName && name != "batch" {
		at, known := p.named[name]
		if !known {
			return bad("", "Content-ID Reference: '"+p.path+"' does not exist in the batch context.").reply()
		}
		p.path = below(at)
	}
	return s.perform(p.request)
}

// parts reads the parts of a batch or of a change set.
func (r request) parts(contentType string, body []byte, inSet bool) (parts []part, f *fault) {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "multipart/mixed" || parameters["boundary"] == "" {
		return nil, bad(codeArgument, "The content type of a batch is multipart/mixed with a boundary.")
	}
	reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		one, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, bad(codeArgument, "The batch does not end as its boundary says.")
		}
		content, err := io.ReadAll(one)
		if err != nil || len(parts) == maxParts {
			return nil, bad(codeArgument, fmt.Sprintf("A batch has up to %d requests, each of them whole.", maxParts))
		}
		kind := one.Header.Get("Content-Type")
		switch {
		case strings.HasPrefix(kind, "multipart/mixed") && !inSet:
			set, f := r.parts(kind, content, true)
			if f != nil {
				return nil, f
			}
			parts = append(parts, part{set: set})
		case strings.HasPrefix(kind, "application/http"):
			read, ok := r.part(one.Header, content)
			if !ok {
				return nil, bad(codeArgument, "A part of the batch is no request.")
			}
			parts = append(parts, read)
		default:
			return nil, bad(codeArgument, "A part of a batch is application/http, or multipart/mixed as a change set.")
		}
	}
}

// part reads one request of a batch. Lines end with CRLF; where they do not, the body must end with a line of its own. See
// https://learn.microsoft.com/troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors.
func (r request) part(header textproto.MIMEHeader, content []byte) (p part, ok bool) {
	head, body, _ := bytes.Cut(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	lines := bufio.NewReader(bytes.NewReader(append(head, "\n\n"...)))
	first, err := lines.ReadString('\n')
	words := strings.Fields(first)
	if err != nil || len(words) < 2 {
		return part{}, false
	}
	fields, err := textproto.NewReader(lines).ReadMIMEHeader()
	if err != nil {
		return part{}, false
	}
	path, query, _ := strings.Cut(below(words[1]), "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return part{}, false
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return part{}, false
	}
	text := bytes.TrimSpace(body)
	bare := !bytes.Contains(content, []byte("\r\n"))
	p = part{id: header.Get("Content-ID"), broken: bare && len(text) > 0 && !bytes.HasSuffix(body, []byte("\n"))}
	p.request = request{method: words[0], path: plain, query: values, header: http.Header(fields), body: text, root: r.root}
	return p, true
}

// answer is a multipart reply that is being written.
type answer struct {
	text     strings.Builder
	boundary string
}

func newAnswer(kind, id string) *answer { return &answer{boundary: kind + "_" + id} }

// add writes a reply to a request.
func (a *answer) add(r request, contentID string, one reply, requestID string) {
	a.text.WriteString("--" + a.boundary + "\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n")
	if contentID != "" {
		a.text.WriteString("Content-ID: " + contentID + "\r\n")
	}
	a.text.WriteString("\r\nHTTP/1.1 " + strconv.Itoa(one.Status) + " " + http.StatusText(one.Status) + "\r\n")
	if one.Status >= http.StatusBadRequest {
		a.text.WriteString("REQ_ID: " + requestID + "\r\n")
	}
	spelled := map[string]string{"Odata-Version": "OData-Version", "Odata-Entityid": "OData-EntityId", "Etag": "ETag"}
	for _, name := range slices.Sorted(maps.Keys(one.Header)) {
		as := name
		if other, differs := spelled[name]; differs {
			as = other
		}
		a.text.WriteString(as + ": " + one.Header.Get(name) + "\r\n")
	}
	a.text.WriteString("\r\n")
	body := one.Body
	if f, refused := body.(*fault); refused {
		body = f.body(r.header)
	}
	if body != nil {
		encoded, _ := json.Marshal(body) // of maps of texts and numbers
		a.text.Write(encoded)
	}
	a.text.WriteString("\r\n")
}

// nest writes the replies to a change set.
func (a *answer) nest(inner *answer) {
	a.text.WriteString("--" + a.boundary + "\r\nContent-Type: multipart/mixed; boundary=" + inner.boundary + "\r\n\r\n")
	a.text.WriteString(inner.end())
}

func (a *answer) end() string {
	a.text.WriteString("--" + a.boundary + "--\r\n")
	return a.text.String()
}
