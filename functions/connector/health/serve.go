package health

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

// Path is what the paths of the routes begin with.
const Path = "/v1/connectors/"

// Serve serves GET /v1/connectors/{kind}/health, a Report in JSON, and GET /v1/connectors/{kind}/metrics, its Metrics. The query may say
// how many minutes it is about. Who may ask is the gateway's affair: it lets in nobody without credentials.
func (r *Reader) Serve(ctx context.Context, request webhook.Request) webhook.Response {
	kind, form, _ := strings.Cut(strings.TrimPrefix(request.Path, Path), "/")
	if !slices.Contains(r.Kinds(), kind) || form != "health" && form != "metrics" || request.Method != http.MethodGet {
		return refusal(http.StatusNotFound, "There is no such CRM here. There are: "+strings.Join(r.Kinds(), ", "))
	}
	minutes, ok := minutesOf(request.RawQuery)
	if !ok {
		return refusal(http.StatusBadRequest, fmt.Sprintf("minutes is a whole number from 1 to %d", MaxMinutes))
	}
	report, err := r.Read(ctx, kind, minutes)
	if err != nil {
		r.Logger.ErrorContext(ctx, "health was not read", slog.String("crm", kind), slog.String("code", fault.Of(err).Code))
		return refusal(http.StatusServiceUnavailable, "What the connectors wrote cannot be read just now. Try again in a minute.")
	}
	if form == "metrics" {
		return webhook.Response{Status: http.StatusOK, ContentType: MetricsType, Body: report.Metrics()}
	}
	return inJSON(http.StatusOK, report)
}

func minutesOf(query string) (minutes int, ok bool) {
	values, err := url.ParseQuery(query)
	if err == nil && !values.Has("minutes") {
		return DefaultMinutes, true
	}
	minutes, notNumber := strconv.Atoi(values.Get("minutes"))
	return minutes, err == nil && notNumber == nil && minutes >= 1 && minutes <= MaxMinutes
}

func refusal(status int, message string) webhook.Response {
	return inJSON(status, map[string]string{"message": message})
}

func inJSON(status int, value any) webhook.Response {
	body, err := json.Marshal(value)
	if err != nil { // never: a report is numbers and words
		return webhook.Response{Status: http.StatusInternalServerError}
	}
	return webhook.Response{Status: status, ContentType: "application/json", Body: append(body, '\n')}
}
