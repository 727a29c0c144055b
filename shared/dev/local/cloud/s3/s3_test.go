package s3_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/dev/local/cloud/s3"
	"signalbox/shared/objects/memobjects"
)

// TestWhatTheProductDoesNotSendIsRefused: each is a request that S3 knows and the codec does not.
func TestWhatTheProductDoesNotSendIsRefused(t *testing.T) {
	t.Parallel()
	const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // of nothing
	for sentence, c := range map[string]struct {
		method, target string
		header         map[string]string
		rights         awsjson.Rights
		status         int
		code           string
	}{
		"an object is written":           {"PUT", "/b/a?x-id=PutObject", map[string]string{"X-Amz-Content-Sha256": sum}, nil, 200, ""},
		"of other bytes than are signed": {"PUT", "/b/a?x-id=PutObject", map[string]string{"X-Amz-Content-Sha256": "00"}, nil, 400, "XAmzContentSHA256Mismatch"},
		"a list":                         {"GET", "/b?list-type=2", nil, nil, 400, awsjson.CodeNotUnderstood},
		"a deletion":                     {"DELETE", "/b/a?x-id=DeleteObject", nil, nil, 400, awsjson.CodeNotUnderstood},
		"a part of an upload":            {"PUT", "/b/a?partNumber=1&uploadId=x&x-id=UploadPart", nil, nil, 400, awsjson.CodeNotUnderstood},
		"a condition":                    {"PUT", "/b/a?x-id=PutObject", map[string]string{"If-None-Match": "*"}, nil, 400, awsjson.CodeNotUnderstood},
		"a range":                        {"GET", "/b/a?x-id=GetObject", map[string]string{"Range": "bytes=0-1"}, nil, 400, awsjson.CodeNotUnderstood},
		"an ACL":                         {"PUT", "/b/a?x-id=PutObject", map[string]string{"X-Amz-Acl": "public-read"}, nil, 400, awsjson.CodeNotUnderstood},
		"another bucket":                 {"GET", "/c/a?x-id=GetObject", nil, nil, 404, "NoSuchBucket"},
		"what is not there":              {"GET", "/b/a?x-id=GetObject", nil, nil, 404, "NoSuchKey"},
		"what one may not read":          {"GET", "/b/a?x-id=GetObject", nil, func(string, string, string) bool { return false }, 403, "AccessDenied"},
		"what is not there, to whom may not list": {
			"GET", "/b/a?x-id=GetObject", nil, func(action, resource, _ string) bool {
				return action == "s3:GetObject" && resource == "arn:aws:s3:::b/a"
			}, 403, "AccessDenied",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			refused := ""
			h := s3.New(map[string]*memobjects.Store{"b": memobjects.New()})
			h.Refused = func(message string) { refused = message }
			ctx := t.Context()
			if c.rights != nil {
				ctx = awsjson.WithRights(ctx, c.rights)
			}
			r := httptest.NewRequestWithContext(ctx, c.method, c.target, http.NoBody)
			for name, value := range c.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.code)
			}
			if (refused != "") != (c.code == awsjson.CodeNotUnderstood) {
				t.Errorf("refused %q", refused)
			}
		})
	}
}
