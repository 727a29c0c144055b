package dynamics

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/secret"

	definitions "signalbox/functions/connector/dynamics/package"
)

// Bounds of one $batch. Dataverse takes 1,000 requests and carries them out one after the other; with these the call of twenty messages ends
// in time, and the calls of more run side by side.
// See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api.
const (
	maxParts = 60
	heavy    = 32 << 10 // a longer request counts as several
)

// part is one request: alone, or in a $batch.
type part struct {
	method, path string           // below the root of the API
	match        string           // If-Match: an etag, or "*" for a row that is there
	fresh        bool             // If-None-Match: only a row that is not there yet
	solution     bool             // what it makes becomes part of our solution
	members      connector.Object // what data was made of
	data         []byte
}

func get(path string) part { return part{method: http.MethodGet, path: path} }

// patch returns the request that writes the members of a row, and makes it if it is not there.
func patch(path string, members connector.Object) part {
	data, _ := json.Marshal(members) // texts, numbers, nulls
	return part{method: http.MethodPatch, path: path, members: members, data: data}
}

// held returns the request that writes to a row only if it is there, as an etag says, or in whatever version.
func held(path, etag string, members connector.Object) part {
	p := patch(path, members)
	p.match = etag
	return p
}

// fresh returns the request that makes a row only if it is not there.
func fresh(path string, members connector.Object) part {
	p := patch(path, members)
	p.fresh = true
	return p
}

// single reports whether the request is about one row.
func (p part) single() bool {
	path, _, _ := strings.Cut(p.path, "?")
	return strings.HasSuffix(path, ")")
}

// reply is what became of a request.
type reply struct {
	body []byte
	err  error
}

// read decodes the body of a success.
func (r reply) read(out any) error {
	if r.err != nil {
		return r.err
	}
	if json.Unmarshal(r.body, out) != nil {
		return fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return nil
}

// firstOf returns the first error of replies.
func firstOf(replies []reply) error {
	for _, r := range replies {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// header returns the headers of a request that differ from those of all.
func (p part) header() http.Header {
	h := http.Header{}
	if p.match != "" {
		h.Set("If-Match", p.match)
	}
	if p.fresh {
		h.Set("If-None-Match", "*")
	}
	if p.solution {
		h.Set("MSCRM.SolutionUniqueName", definitions.Solution)
	}
	return h
}

// exchange makes the requests of several rows, each row's in their order, in as few calls as there can be. What one row meets is not felt by
// another. A row whose call failed as a whole has that error in every reply.
func (e *environment) exchange(ctx context.Context, rows [][]part) [][]reply {
	replies := make([][]reply, len(rows))
	size := func(i int) (n int) {
		for _, p := range rows[i] {
			n += 1 + len(p.data)/heavy
		}
		return n
	}
	var calls [][]int
	full := maxParts
	for i := range rows {
		if len(rows[i]) == 0 {
			continue
		}
		if full+size(i) > maxParts {
			calls, full = append(calls, nil), 0
		}
		calls[len(calls)-1], full = append(calls[len(calls)-1], i), full+size(i)
	}
	connector.Each(connector.Indices(len(calls)), func(k int) { e.send(ctx, rows, calls[k], replies) })
	return replies
}

// send makes one call for the rows at, and another for each of those that have to be made again.
func (e *environment) send(ctx context.Context, rows [][]part, at []int, replies [][]reply) {
	connector.Rows{
		Most: len(at),
		Call: func(some []int) (silent []int, err error) {
			var parts []part
			for _, i := range some {
				parts = append(parts, rows[i]...)
			}
			told, err := e.call(ctx, parts)
			if err != nil {
				return nil, err
			}
			for _, i := range some {
				if len(told) < len(rows[i]) { // the reply ends before
					silent, told = append(silent, i), nil
					continue
				}
				replies[i], told = told[:len(rows[i])], told[len(rows[i]):]
			}
			return silent, nil
		},
		Fail: func(i int, err error) { replies[i] = slices.Repeat([]reply{{err: err}}, len(rows[i])) },
	}.Send(at)
	for _, i := range at {
		again, ok := repeated(rows[i], replies[i])
		if !ok {
			continue
		}
		told, err := e.call(ctx, again)
		if err == nil && len(told) < len(again) {
			err = fault.New(fault.Retryable, codeUndecodable, nil)
		}
		if err != nil { // what was refused first is no verdict: it may come through yet
			told = slices.Repeat([]reply{{err: err}}, len(again))
		}
		replies[i] = told
	}
}

// repeated returns the requests of a row that are to be made once more: after a race, or what Dataverse itself did not expect, as they are;
// where a text is too long, with a shorter one.
func repeated(row []part, replies []reply) (again []part, ok bool) {
	again = slices.Clone(row)
	for k, r := range replies {
		if row[k].once(r.err) {
			ok = true
		}
		e := refused(r.err)
		if e == nil || len(e.long) == 0 {
			continue
		}
		if members, fits := row[k].members.Shortened(e.long, whole.MatchString); fits && !slices.ContainsFunc(slices.Collect(maps.Keys(e.long)), word.MatchString) {
			data, _ := json.Marshal(members)
			again[k].members, again[k].data, ok = members, data, true
		}
	}
	return again, ok
}

// call makes requests in one call: alone, or in a $batch that goes on after one that fails.
func (e *environment) call(ctx context.Context, parts []part) (replies []reply, err error) {
	err = e.crm.tokens.Use(ctx, e.at, e.crm.credentials(e.binding), func(token secret.Value) (refused bool, err error) {
		if len(parts) == 1 {
			replies, refused, err = e.alone(ctx, token, parts[0])
		} else {
			replies, refused, err = e.batch(ctx, token, parts)
		}
		return refused, err
	})
	return replies, err
}

func (e *environment) header(token secret.Value) http.Header {
	return http.Header{
		"Authorization": {"Bearer " + string(token)}, "Odata-Version": {"4.0"}, "Odata-Maxversion": {"4.0"}, "If-None-Match": {"null"},
	}
}

// alone makes one request. What is refused is in its reply, but for what is about the call itself.
func (e *environment) alone(ctx context.Context, token secret.Value, p part) (replies []reply, refused bool, err error) {
	header := e.header(token)
	maps.Copy(header, p.header())
	var body any
	if p.data != nil {
		body = connector.Raw{Type: "application/json", Data: p.data}
	}
	told, err := e.crm.api.Send(ctx, p.method, e.binding.BaseURL+e.root()+p.path, header, body)
	if err != nil {
		return nil, false, err
	}
	one := replyOf(p, told.Status, told.Header, told.Body)
	if told.Status == http.StatusUnauthorized {
		return nil, true, one.err
	}
	return []reply{one}, false, nil
}

// replyOf sorts a reply. A write has no content, what is read is JSON: anything else came from something in between, whatever its status.
func replyOf(p part, status int, header http.Header, body []byte) reply {
	switch {
	case status == http.StatusNoContent:
		return reply{}
	case status == http.StatusOK && p.method == http.MethodGet:
		return reply{body: body}
	case status < http.StatusMultipleChoices:
		return reply{err: fault.New(fault.Retryable, codeUndecodable, nil)}
	default:
		return reply{err: sorted(p, status, header, body)}
	}
}

// batch makes requests as one multipart request.
func (e *environment) batch(ctx context.Context, token secret.Value, parts []part) (replies []reply, refused bool, err error) {
	boundary := "batch_" + strings.ToLower(rand.Text())
	header := e.header(token)
	header.Set("Prefer", "odata.continue-on-error")
	whole := part{method: http.MethodPost, path: "$batch"}
	body := connector.Raw{Type: `multipart/mixed; boundary="` + boundary + `"`, Data: e.encode(boundary, parts)}
	told, err := e.crm.api.Send(ctx, whole.method, e.binding.BaseURL+e.root()+whole.path, header, body)
	if err != nil {
		return nil, false, err
	}
	if told.Status != http.StatusOK {
		return nil, told.Status == http.StatusUnauthorized, sorted(whole, told.Status, told.Header, told.Body)
	}
	replies, err = decode(told.Header.Get("Content-Type"), told.Body, parts)
	return replies, false, err
}

// encode returns the body of a $batch. Its lines end as the protocol's do.
func (e *environment) encode(boundary string, parts []part) []byte {
	var out bytes.Buffer
	for _, p := range parts {
		out.WriteString("--" + boundary + "\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n")
		out.WriteString(p.method + " " + e.root() + p.path + " HTTP/1.1\r\nAccept: application/json\r\n")
		_ = p.header().Write(&out) // into memory
		if p.data != nil {
			out.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(p.data)) + "\r\n")
		}
		out.WriteString("\r\n")
		out.Write(p.data)
		out.WriteString("\r\n")
	}
	out.WriteString("--" + boundary + "--\r\n")
	return out.Bytes()
}

// decode reads the replies to requests, as many as are there, in their order.
func decode(contentType string, body []byte, parts []part) (replies []reply, err error) {
	undecodable := fault.New(fault.Retryable, codeUndecodable, nil)
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/mixed" {
		return nil, undecodable
	}
	reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, p := range parts {
		next, end := reader.NextRawPart()
		if end != nil { // or it is cut off here
			return replies, nil //nolint:nilerr // what has no reply is asked for again
		}
		told, err := http.ReadResponse(bufio.NewReader(next), nil)
		if err != nil {
			return nil, undecodable
		}
		content, cut := io.ReadAll(told.Body)
		_ = told.Body.Close()
		if cut != nil {
			return replies, nil //nolint:nilerr // as above
		}
		replies = append(replies, replyOf(p, told.StatusCode, told.Header, content))
	}
	return replies, nil
}
