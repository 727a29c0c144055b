package adapter_test

import (
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

// TestTimes: those that providers write, in their ways, and of those ahead of a clock none.
func TestTimes(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for sent, want := range map[string]string{
		"2026-11-23T11:00:00Z": "2026-11-23T11:00:00Z", "2026-11-23T11:00:00.123Z": "2026-11-23T11:00:00.123Z", "2026-11-23T12:00:00+01:00": "2026-11-23T11:00:00Z",
		"2026-11-23T12:00:00+0100": "2026-11-23T11:00:00Z", "2026-11-23 11:00:00 +0000": "2026-11-23T11:00:00Z", "2026-11-23T11:00:00.123-0000": "2026-11-23T11:00:00.123Z",
		"2026-11-23T07:00:00-0400": "2026-11-23T11:00:00Z", "0000-01-01T00:00:00Z": "", "+0100": "", "0100": "", "noon": "",
		"2026-11-23T12:00:00.001Z": "", "2026-11-23 11:00:00": "", "": "",
	} {
		got := ""
		if at := adapter.PastTime(sent, noon); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", sent, got, want)
		}
	}
}

func TestCheckTime(t *testing.T) {
	w := adapter.Webhook{Request: webhook.Request{Received: time.Unix(1795435200, 0)}}
	for written, want := range map[string]string{
		"1795435200": "", "1795434900": "", "1795434899": adapter.CodeTimeStale, "1795435260": "", "1795435261": adapter.CodeTimeStale,
		"": adapter.CodeTimeMalformed, "noon": adapter.CodeTimeMalformed, "1795435200.5": adapter.CodeTimeMalformed, "-9223372036854775808": adapter.CodeTimeStale,
	} {
		err := w.CheckTime(written, 5*time.Minute, time.Minute)
		if got := fault.Of(err); err == nil && want != "" || err != nil && (got.Code != want || got.Kind != fault.Rejected) {
			t.Errorf("%q: %v, want %q", written, err, want)
		}
	}
}
