package media

import (
	"context"
	"encoding/json"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/media"
	"signalbox/shared/objects"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

// maxShown is the largest file that is served: a function's response is 6 MB at most, in base64.
const maxShown = 4_600_000

// ShowParts is what a Viewer is made of. All are needed.
type ShowParts struct {
	Store interface {
		Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	}
	Objects interface {
		Get(ctx context.Context, name string) ([]byte, error)
	}
	Peppers interface {
		Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
	}
	Opener interface {
		Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
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
	now, err := v.known(ctx, link)
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

// known returns what is known of a link's file, nil for nothing yet.
func (v *Viewer) known(ctx context.Context, l media.Link) (*known, error) {
	key := fileKey(l.Tenant, l.Event, l.File)
	held, err := v.Store.Get(ctx, key)
	if err != nil || held[0].Version == 0 {
		return nil, err
	}
	data, err := v.Opener.Open(ctx, knownPlace(l.Tenant, key), held[0].Data)
	if err != nil {
		return nil, err
	}
	now := &known{}
	if json.Unmarshal(data, now) != nil {
		return nil, fault.New(fault.Permanent, CodeRecord, nil)
	}
	return now, nil
}

// CodeRecord is the code of what is known of a file and cannot be read.
const CodeRecord = "media_record_malformed"

func (v *Viewer) show(ctx context.Context, l media.Link, now *known) webhook.Response {
	sealed, err := v.Objects.Get(ctx, now.Object)
	if fault.Is(err, objects.CodeAbsent) {
		return says(http.StatusGone, "This file is no longer kept.")
	}
	var body []byte
	if err == nil {
		body, err = v.Opener.Open(ctx, filePlace(l.Tenant, now.Object), sealed)
	}
	if err != nil {
		return v.failed(ctx, err)
	}
	v.Meter.Count("MediaShown", 1)
	v.Logger.InfoContext(ctx, "file shown", slog.String("tenant", l.Tenant), slog.Int("file", l.File), slog.Int("bytes", len(body)))
	answer := webhook.Response{Status: http.StatusOK, ContentType: now.Type, Body: body, Header: guards()}
	answer.Header["content-disposition"] = mime.FormatMediaType("attachment", map[string]string{"filename": fileName(now, l)})
	return answer
}

// fileName returns the name by which a file is saved: its own without what leads elsewhere, or one by its number.
func fileName(now *known, l media.Link) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(now.Name, "_"))
	if name = strings.Trim(name, ". "); name != "" && len(name) <= 200 {
		return name
	}
	name = "file-" + strconv.Itoa(l.File+1)
	switch _, sub, _ := strings.Cut(now.Type, "/"); {
	case sub == "plain":
		return name + ".txt"
	case len(sub) <= 4 && !strings.ContainsAny(sub, ".-+"): // as png and pdf
		return name + "." + sub
	default:
		return name
	}
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
