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
	}
	for name, value := range cases {
		t.Run(name, func(t *testing.T) {
			if channel, change, ok := connector.PermissionOf(value); ok {
				t.Errorf("%s %v", channel, change)
			}
		})
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
