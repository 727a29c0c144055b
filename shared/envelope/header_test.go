package envelope

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func headers() []header {
	at := time.Date(2026, 11, 23, 17, 0, 0, 123e6, time.UTC)
	event := eventHeader{SchemaVersion: Version, TenantID: "demo", EventID: "e1", ReceivedAt: at}
	return []header{
		{eventHeader: event},
		{DeliveryID: "e1.hubspot", CRM: "hubspot", Event: &event},
		{DeliveryID: "e1.hubspot", CRM: "hubspot", Generation: 12, Event: &event},
		{eventHeader: eventHeader{SchemaVersion: Version, TenantID: "d\"emo", EventID: "é", ReceivedAt: at}},
	}
}

func TestAHeaderIsReadAsItIsWritten(t *testing.T) {
	for i, h := range headers() {
		written := string(h.append(nil))
		got, known := readHeader(written)
		if known != (i < 3) { // the last one has escapes, which are a decoder's
			t.Fatalf("%s: known is %t", written, known)
		}
		if diff := cmp.Diff(h, got, cmp.AllowUnexported(header{})); known && diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzAHeaderIsReadAsADecoderWould(f *testing.F) {
	for _, h := range headers() {
		f.Add(string(h.append(nil)))
	}
	f.Add(`{"schemaVersion":01,"tenantId":"","eventId":"","receivedAt":"2026-11-23T17:00:00Z"`)
	f.Fuzz(func(t *testing.T, written string) {
		got, known := readHeader(written)
		if !known {
			return
		}
		var want header
		if err := json.Unmarshal([]byte(written+"}"), &want); err != nil {
			t.Fatalf("%q is read as %+v, a decoder says %v", written, got, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(header{})); diff != "" {
			t.Errorf("%q: %s", written, diff)
		}
	})
}
