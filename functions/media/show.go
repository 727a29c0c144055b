package media

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/media"
	"signalbox/shared/objects"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

// maxShown is the largest file that is served: a function's response is 6 MB at most, in base64.
const maxShown = 4_600_000

// ShowParts is what a Viewer is made of. All are needed.
type ShowParts struct {
	media.Reader
	Peppers interface {
		Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
	}
	Logger *slog.Logger
	Meter  *telemetry.Meter
}

// Viewer serves files to those who have links.
type Viewer struct{ ShowParts }

// NewViewer returns a Viewer.
func NewViewer(p ShowParts) *Viewer { return &Viewer{p} }

// Serve serves GET /v1/media/{token}. Whoever has no link sees what the gateway shows where there is nothing; whoever has one is told why it
// opens nothing.
func (v *Viewer) Serve(ctx context.Context, r webhook.Request) webhook.Response {
	token, ok := strings.CutPrefix(r.Path, media.Path)
	tenant := media.Tenant(token)
	if !ok || tenant == "" || r.Method != http.MethodGet {
		return nothing()
	}
	pepper, err := v.Peppers.Pepper(ctx, tenant)
	if err != nil {
		return v.failed(ctx, err)
	}
	link, ok := media.Parse(token, tenant, pepper)
	if !ok {
		return nothing()
	}
	ctx = telemetry.WithEvent(ctx, string(link.Event))
	if !time.Now().Before(link.Until) {
		return says(http.StatusGone, "This link has ended. The file is no longer shown here.")
	}
	now, err := v.Kept(ctx, link.Tenant, link.Event, link.File)
	switch {
	case fault.Is(err, keyring.CodeErased):
		return says(http.StatusGone, "This file was erased.")
	case err != nil:
		return v.failed(ctx, err)
	case now == nil:
		return says(http.StatusNotFound, "This file is not here yet. Try again in a minute; one that does not come is among the dead letters.")
	case now.Problem != "":
		return says(http.StatusGone, "This file was not kept: "+reason(now.Problem)+" ("+now.Problem+").")
	case now.Size > maxShown:
		return says(http.StatusRequestEntityTooLarge, "This file is too large to be opened by a link. It is kept; ask who operates Signalbox.")
	}
	return v.show(ctx, link, now)
}

func (v *Viewer) show(ctx context.Context, l media.Link, now *media.Kept) webhook.Response {
	body, err := v.Read(ctx, l.Tenant, now)
	if fault.Is(err, objects.CodeAbsent) {
		return says(http.StatusGone, "This file is no longer kept.")
	}
	if err != nil {
		return v.failed(ctx, err)
	}
	v.Meter.Count("MediaShown", 1)
	v.Logger.InfoContext(ctx, "file shown", slog.String("tenant", l.Tenant), slog.Int("file", l.File), slog.Int("bytes", len(body)))
	answer := webhook.Response{Status: http.StatusOK, ContentType: now.Type, Body: body, Header: guards()}
	answer.Header["content-disposition"] = mime.FormatMediaType("attachment", map[string]string{"filename": now.FileName(l.File)})
	return answer
}

// guards are the headers of what is shown: a browser saves it and runs nothing of it, and nobody in between keeps it.
func guards() map[string]string {
	return map[string]string{
		"cache-control": "private, no-store", "x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'",
		"referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin", "x-robots-tag": "noindex",
	}
}

// nothing is what the gateway answers where there is nothing.
func nothing() webhook.Response {
	return webhook.Response{Status: http.StatusNotFound, ContentType: "application/json", Body: []byte(`{"message":"Not Found"}`)}
}

func says(status int, text string) webhook.Response {
	return webhook.Response{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(text + "\n"), Header: guards()}
}

func (v *Viewer) failed(ctx context.Context, err error) webhook.Response {
	v.Logger.ErrorContext(ctx, "file not shown", slog.String("code", fault.Of(err).Code))
	return says(http.StatusServiceUnavailable, "This file cannot be shown just now. Try again in a minute.")
}

// reason returns in words why a file is not kept.
func reason(code string) string {
	switch code {
	case CodeHost, CodeAddress, CodeRedirects:
		return "its address does not lead to a public server"
	case CodeLarge:
		return "it is too large"
	case CodeType, CodeEncoding:
		return "it is of a type that is not kept, or not what it says it is"
	case CodeGone:
		return "its provider has it no more"
	case CodeInfected:
		return "the scanner refused it"
	default:
		return "it could not be read from its provider"
	}
}
