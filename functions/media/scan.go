package media

import (
	"bytes"
	"context"
	"net/http"

	"signalbox/shared/fault"
)

// The codes of the faults of scanning.
const (
	CodeInfected = "media_scan_refused" // permanent: the scanner says that the file is not to be kept
	CodeScan     = "media_scan_failed"  // retryable: the scanner says nothing
)

// HTTPScanner asks a service of the operator's whether a file may be kept: the file is posted to it with its type, any 2xx keeps it and 422
// refuses it. Everything else is no answer, and the file waits. The service may be in a private network: who deploys names it.
type HTTPScanner struct {
	url    string
	client *http.Client
}

// NewHTTPScanner returns a scanner at a URL.
func NewHTTPScanner(url string) *HTTPScanner {
	return &HTTPScanner{url, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Scan asks about a file.
func (s *HTTPScanner) Scan(ctx context.Context, f File) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(f.Body))
	if err != nil {
		return fault.New(fault.Blocked, CodeScan, nil)
	}
	r.Header.Set("Content-Type", f.Type)
	reply, err := s.client.Do(r)
	if err != nil {
		return fault.New(fault.Retryable, CodeScan, nil)
	}
	_ = reply.Body.Close()
	switch {
	case reply.StatusCode/100 == 2:
		return nil
	case reply.StatusCode == http.StatusUnprocessableEntity:
		return fault.New(fault.Permanent, CodeInfected, nil)
	default:
		return fault.New(fault.Retryable, CodeScan, nil)
	}
}
