package hubspot

import (
	"testing"
	"time"

	"signalbox/functions/connector"

	"github.com/google/go-cmp/cmp"
)

func TestConsentIsKeptByChannelAndNeverTakenBackByAnOlderEvent(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 18, 14, minute, 0, 0, time.UTC) }
	type change struct {
		channel, state string
		at             time.Time
	}
	cases := map[string]struct {
		held    string
		change  change
		changed bool
		want    map[string]string
	}{
		"the first opt-out": {
			"",
			change{"sms", connector.OptedOut, at(1)},
			true,
			map[string]string{"msg_consent": "sms=opted_out@2026-01-18T14:01:00.000Z", "msg_opt_out": "true", "msg_opt_out_at": "2026-01-18T14:01:00.000Z", "msg_opt_out_channel": "sms"},
		},
		"back in": {
			"sms=opted_out@2026-01-18T14:01:00.000Z",
			change{"sms", connector.OptedIn, at(2)},
			true,
			map[string]string{"msg_consent": "sms=opted_in@2026-01-18T14:02:00.000Z", "msg_opt_out": "false", "msg_opt_out_at": "2026-01-18T14:02:00.000Z", "msg_opt_out_channel": ""},
		},
		"an older opt-in comes late":  {"sms=opted_out@2026-01-18T14:02:00.000Z", change{"sms", connector.OptedIn, at(1)}, false, nil},
		"an older opt-out comes late": {"sms=opted_in@2026-01-18T14:02:00.000Z", change{"sms", connector.OptedOut, at(1)}, false, nil},
		"the same again":              {"sms=opted_out@2026-01-18T14:01:00.000Z", change{"sms", connector.OptedOut, at(1)}, false, nil},
		"two at one instant: out": {
			"sms=opted_in@2026-01-18T14:01:00.000Z",
			change{"sms", connector.OptedOut, at(1)},
			true,
			map[string]string{"msg_consent": "sms=opted_out@2026-01-18T14:01:00.000Z", "msg_opt_out": "true", "msg_opt_out_at": "2026-01-18T14:01:00.000Z", "msg_opt_out_channel": "sms"},
		},
		"two at one instant: in": {"sms=opted_out@2026-01-18T14:01:00.000Z", change{"sms", connector.OptedIn, at(1)}, false, nil},
		"an older one on another channel counts": {
			"whatsapp=opted_in@2026-01-18T14:05:00.000Z",
			change{"sms", connector.OptedOut, at(1)},
			true,
			map[string]string{
				"msg_consent": "sms=opted_out@2026-01-18T14:01:00.000Z;whatsapp=opted_in@2026-01-18T14:05:00.000Z",
				"msg_opt_out": "true", "msg_opt_out_at": "2026-01-18T14:05:00.000Z", "msg_opt_out_channel": "sms",
			},
		},
		"edited by hand beyond reading": {
			"nonsense;sms=maybe@2026;=opted_in@2026-01-18T14:05:00.000Z",
			change{"sms", connector.OptedOut, at(1)},
			true,
			map[string]string{"msg_consent": "sms=opted_out@2026-01-18T14:01:00.000Z", "msg_opt_out": "true", "msg_opt_out_at": "2026-01-18T14:01:00.000Z", "msg_opt_out_channel": "sms"},
		},
	}
	b, _, err := Binding{BaseURL: "https://x.test", Token: "t"}.check()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			held := connector.DecodePermissions(c.held)
			if got := held.Apply(c.change.channel, connector.Permission{State: c.change.state, At: c.change.at}); got != c.changed {
				t.Fatalf("changed %v, want %v", got, c.changed)
			}
			if diff := cmp.Diff(c.want, permitted(held, b.Properties)); c.changed && diff != "" {
				t.Error(diff)
			}
		})
	}
}
