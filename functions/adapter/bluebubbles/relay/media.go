package relay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// readable is how long a file can be read, from when its message was written.
const readable = 30 * 24 * time.Hour

// address returns where a file can be read by who is told it, for a time. It is the same whenever the message is told.
func (r *Relay) address(guid string, created int64) string {
	until := strconv.FormatInt(created/1000+int64(readable/time.Second), 10)
	return r.config.Media + "/" + until + "/" + r.proof(guid, until) + "/" + url.PathEscape(guid)
}

// proof returns what is part of the address of a file that was forwarded, and of no other.
func (r *Relay) proof(guid, until string) string {
	mac := hmac.New(sha256.New, []byte(r.config.Secret))
	_, _ = mac.Write([]byte("media\x00" + until + "\x00" + guid))
	return hex.EncodeToString(mac.Sum(nil))
}

// ServeFile serves files by the addresses that were told, and nothing else. The server's password stays on the Mac.
func (r *Relay) ServeFile(w http.ResponseWriter, request *http.Request) {
	parts := strings.SplitN(strings.TrimPrefix(request.URL.Path, "/"), "/", 3)
	if len(parts) != 3 || request.Method != http.MethodGet || !hmac.Equal([]byte(parts[1]), []byte(r.proof(parts[2], parts[0]))) {
		http.NotFound(w, request)
		return
	}
	if until, err := strconv.ParseInt(parts[0], 10, 64); err != nil || time.Now().Unix() > until {
		http.NotFound(w, request)
		return
	}
	response, err := r.server.file(request.Context(), parts[2])
	if err != nil {
		r.log.WarnContext(request.Context(), "a file was not read", slog.Any("error", err))
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = response.Body.Close() }()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if response.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(response.ContentLength, 10))
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		r.log.WarnContext(request.Context(), "a file broke off", slog.Any("error", err))
		panic(http.ErrAbortHandler) // whoever reads would take a part for the whole
	}
}
