package bluebubbles

import (
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// TestWhatAServerPostsByItselfIsRefused: the account's path is no secret, and a body without the relay's signature is a stranger's.
func TestWhatAServerPostsByItselfIsRefused(t *testing.T) {
	r := adaptertest.ReadCase(t, "testdata/text/request.json").Request()
	r.Header.Set("User-Agent", "axios/1.7.2")
	err := (&Channel{}).Decode(adapter.Webhook{Request: r, Kind: Messages}).Verify(secret.Versions{adaptertest.StandardSecret("any")})
	if f := fault.Of(err); f.Kind != fault.Rejected || f.Code != standardwebhooks.CodeMissing {
		t.Error(err)
	}
}
