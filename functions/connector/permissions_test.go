package connector_test

import (
	"testing"

	"signalbox/functions/connector"

	"github.com/google/go-cmp/cmp"
)

func TestWhatMakesNoSenseIsNoPermission(t *testing.T) {
	cases := map[string]map[string]string{
		"nothing":                {},
		"no time":                {"channel": "sms", "state": "opted_out"},
		"a time nobody can read": {"channel": "sms", "state": "opted_out", "at": "yesterday"},
		"another state":          {"channel": "sms", "state": "maybe", "at": "2026-01-18T14:23:12Z"},
		"no channel":             {"state": "opted_out", "at": "2026-01-18T14:23:12Z"},
		"a channel that would break the field open": {"channel": "sms=opted_in@2027-01-01T00:00:00Z;x", "state": "opted_out", "at": "2026-01-18T14:23:12Z"},
		"channels, one of which would":              {"channel": "sms", "channels": "sms;rcs=opted_in@2027-01-01T00:00:00Z", "state": "opted_out", "at": "2026-01-18T14:23:12Z"},
	}
	for name, value := range cases {
		t.Run(name, func(t *testing.T) {
			if channel, change, ok := connector.PermissionOf(value); ok {
				t.Errorf("%s %v", channel, change)
			}
		})
	}
}

// TestAChangeMayConcernSeveralChannels: each has its own time, and a later one stays.
func TestAChangeMayConcernSeveralChannels(t *testing.T) {
	channels, change, ok := connector.PermissionOf(map[string]string{"channel": "rcs", "channels": "rcs;sms", "state": "opted_out", "at": "2026-01-18T14:23:12Z"})
	if !ok {
		t.Fatal("refused")
	}
	for held, want := range map[string]string{
		"":                                      "rcs=opted_out@2026-01-18T14:23:12.000Z;sms=opted_out@2026-01-18T14:23:12.000Z",
		"sms=opted_in@2026-01-18T15:00:00.000Z": "rcs=opted_out@2026-01-18T14:23:12.000Z;sms=opted_in@2026-01-18T15:00:00.000Z",
	} {
		p := connector.DecodePermissions(held)
		if !p.ApplyAll(channels, change) || p.Encode() != want || p.ApplyAll(channels, change) {
			t.Errorf("%q became %q, want %q", held, p.Encode(), want)
		}
	}
}

func FuzzDecodePermissions(f *testing.F) {
	f.Add("sms=opted_out@2026-01-18T14:01:00.000Z;whatsapp=opted_in@2026-01-18T14:05:00Z")
	f.Add(";=@;;")
	f.Fuzz(func(t *testing.T, held string) {
		first := connector.DecodePermissions(held)
		if diff := cmp.Diff(first, connector.DecodePermissions(first.Encode())); diff != "" {
			t.Error(diff)
		}
	})
}
