package simulatortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxRequest bounds what is read of a request.
const maxRequest = 16 << 20

// Serve serves a request of a simulator: one of a test as Answer does, any other by answer, unless a fault is in force for it.
func (c Control) Serve(w http.ResponseWriter, r *http.Request, answer func(body []byte) Reply) {
	var body bytes.Buffer
	if 0 < r.ContentLength && r.ContentLength <= maxRequest {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // so that it is not copied while it grows
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxRequest)); err != nil {
		c.Refuse(http.StatusRequestEntityTooLarge, "The request is too large").Send(w)
		return
	}
	if c.Handles(r) {
		c.Answer(r, body.Bytes()).Send(w)
		return
	}
	c.Faults.Serve(w, r, func() Reply { return answer(body.Bytes()) })
}

// Decode reads the body of a request: all of it, and nothing that is not documented.
func Decode(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the request")
	}
	return nil
}

// Bearer returns the token that a request bears.
func Bearer(r *http.Request) (token string, ok bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// MediaType returns the type of a request's body without parameters such as a character set, "" if it says none.
func MediaType(r *http.Request) string {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// Segments returns the parts of a path, unescaped; ok is false if one is empty or escaped wrongly.
func Segments(path string) (parts []string, ok bool) {
	for part := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" {
			return nil, false
		}
		parts = append(parts, plain)
	}
	return parts, true
}

// Window counts requests in a span of time. The zero value has counted none.
type Window struct {
	began time.Time
	Spent int
}

// Admits counts a request and reports whether it is within the limit; a limit of zero is none.
func (w *Window) Admits(limit int, span time.Duration) bool {
	if now := time.Now(); now.Sub(w.began) >= span {
		*w = Window{began: now}
	}
	w.Spent++
	return limit == 0 || w.Spent <= limit
}
