package inprocess_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox/shared/dev/local/cloud/inprocess"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: inprocess.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/empty":
		default:
			w.Header().Set("X-Seen", r.Method+" "+r.Host+" "+r.RequestURI)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "not sent")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write(body)
		}
	})}}
	post := func(ctx context.Context, path string) (status int, seen http.Header, body string, err error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://cloud.invalid"+path, strings.NewReader("body"))
		if err != nil {
			return 0, nil, "", err
		}
		reply, err := client.Do(r)
		if err != nil {
			return 0, nil, "", err
		}
		defer func() { _ = reply.Body.Close() }()
		read, err := io.ReadAll(reply.Body)
		return reply.StatusCode, reply.Header, string(read), err
	}
	status, header, body, err := post(t.Context(), "/a?b=c")
	if err != nil || status != http.StatusTeapot || body != "body" || header.Get("X-Seen") != "POST cloud.invalid /a?b=c" || header.Get("X-Late") != "" {
		t.Errorf("%d %v %q %v", status, header, body, err)
	}
	if status, _, _, err := post(t.Context(), "/empty"); err != nil || status != http.StatusOK {
		t.Errorf("%d %v", status, err)
	}
	if _, _, _, err := post(t.Context(), "/abort"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a dropped connection is %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := post(ended, "/a"); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context is %v", err)
	}
}
