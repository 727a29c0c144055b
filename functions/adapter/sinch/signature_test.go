package sinch

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// TestSignatureVectors holds Verify against vectors that were computed apart from this code, one of them by the provider's own SDK.
func TestSignatureVectors(t *testing.T) {
	var vectors []struct {
		Name, Secret, Body, Nonce, Timestamp, Signature string
	}
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 2 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	const name = "X-Sinch-Webhook-Signature"
	for _, v := range vectors {
		for sentence, c := range map[string]struct {
			change func(h http.Header)
			after  time.Duration
			code   string
		}{
			"as it is":                 {func(http.Header) {}, 0, ""},
			"a day later":              {func(http.Header) {}, 24 * time.Hour, ""},
			"more than a day later":    {func(http.Header) {}, 24*time.Hour + time.Second, "timestamp_stale"},
			"ahead of the clock":       {func(http.Header) {}, -6 * time.Minute, "timestamp_stale"},
			"without an algorithm":     {func(h http.Header) { h.Del(name + "-Algorithm") }, 0, ""},
			"of another algorithm":     {func(h http.Header) { h.Set(name+"-Algorithm", "HmacSHA1") }, 0, "signature_algorithm"},
			"of another nonce":         {func(h http.Header) { h.Set(name+"-Nonce", "another") }, 0, "signature_wrong"},
			"of another time":          {func(h http.Header) { h.Set(name+"-Timestamp", "1") }, 0, "signature_wrong"},
			"of a time that is none":   {func(h http.Header) { h.Set(name+"-Timestamp", "noon") }, 0, "signature_wrong"},
			"without a time":           {func(h http.Header) { h.Del(name + "-Timestamp") }, 0, "signature_missing"},
			"without a nonce":          {func(h http.Header) { h.Del(name + "-Nonce") }, 0, "signature_missing"},
			"with another's signature": {func(h http.Header) { h.Set(name, "AAAA") }, 0, "signature_wrong"},
		} {
			seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			h.Set(name, v.Signature)
			h.Set(name+"-Nonce", v.Nonce)
			h.Set(name+"-Timestamp", v.Timestamp)
			h.Set(name+"-Algorithm", "HmacSHA256")
			c.change(h)
			r := webhook.Request{Header: h, Body: []byte(v.Body), Received: time.Unix(seconds, 0).Add(c.after)}
			err = (&Channel{}).Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"", secret.Value(v.Secret)})
			if got := fault.Of(err); err == nil && c.code != "" || err != nil && got.Code != c.code {
				t.Errorf("%s %s: %v, want %q", v.Name, sentence, err, c.code)
			}
		}
	}
}
