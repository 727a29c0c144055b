// Package s3 is a codec of Amazon S3's REST API over objects in memory: the requests that shared/aws/s3objects has the SDK send, by path. What
// it does not know it refuses and names, so that nobody mistakes it for S3.
// See https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html.
package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3's entity tags are
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/objects"
	"signalbox/shared/objects/memobjects"
)

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	Refused func(message string) // told of every request that was not understood; may be nil

	buckets map[string]*memobjects.Store
}

// New returns the service over buckets by their names.
func New(buckets map[string]*memobjects.Store) *Handler { return &Handler{buckets: buckets} }

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := h.serve(r)
	if err == nil {
		if data == nil { // of a Put, whose tag nobody reads
			return
		}
		sum := md5.Sum(data) //nolint:gosec // see above
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Header().Set("Etag", strconv.Quote(hex.EncodeToString(sum[:])))
		_, _ = w.Write(data) //nolint:gosec // what was put, to an SDK; a client that has gone has its own error
		return
	}
	failed, ok := errors.AsType[*awsjson.Error](err)
	if !ok {
		failed = &awsjson.Error{Status: http.StatusInternalServerError, Type: "InternalError", Message: err.Error()}
	}
	if failed.Type == awsjson.CodeNotUnderstood && h.Refused != nil {
		h.Refused(failed.Message)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(failed.Status)
	body, _ := xml.Marshal(struct { // of two texts
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: failed.Type, Message: failed.Message})
	_, _ = w.Write(body)
}

// serve returns what is read, or nil for what is written.
func (h *Handler) serve(r *http.Request) ([]byte, error) {
	if err := understood(r); err != nil {
		return nil, err
	}
	bucket, name, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	held := h.buckets[bucket]
	if held == nil {
		return nil, failed(http.StatusNotFound, "NoSuchBucket")
	}
	operation, arn := r.URL.Query().Get("x-id"), "arn:aws:s3:::"+bucket
	if err := allow(r.Context(), "s3:"+operation, arn+"/"+name); err != nil {
		return nil, err
	}
	if operation == "GetObject" {
		data, err := held.Get(r.Context(), name)
		if err == nil {
			return append([]byte{}, data...), nil
		}
		if err := allow(r.Context(), "s3:ListBucket", arn); err != nil { // whoever may not list is not told what is not there
			return nil, err
		}
		return nil, failed(http.StatusNotFound, "NoSuchKey")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, objects.MaxData+1))
	if err != nil || r.ContentLength != int64(len(body)) {
		return nil, failed(http.StatusBadRequest, "IncompleteBody")
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != r.Header.Get("X-Amz-Content-Sha256") {
		return nil, failed(http.StatusBadRequest, "XAmzContentSHA256Mismatch")
	}
	if err := held.Put(r.Context(), name, body); err != nil {
		return nil, awsjson.NotUnderstood("the key of a PutObject: %v", err)
	}
	return nil, nil
}

// understood returns an error for whatever would mean something that is not done here.
func understood(r *http.Request) error {
	operation := map[string]string{http.MethodPut: "PutObject", http.MethodGet: "GetObject"}[r.Method]
	if operation == "" || r.URL.RawQuery != "x-id="+operation {
		return awsjson.NotUnderstood("%s %s?%s", r.Method, r.URL.Path, r.URL.RawQuery)
	}
	for name := range r.Header {
		known := []string{"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token"}
		changes := strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "If-") || name == "Range" || name == "Content-Md5" || name == "Content-Encoding"
		if changes && !slices.Contains(known, name) {
			return awsjson.NotUnderstood("the header %s of a %s", name, operation)
		}
	}
	return nil
}

// allow returns S3's word for what a caller may not do.
func allow(ctx context.Context, action, resource string) error {
	if awsjson.Allow(ctx, action, resource, "") != nil {
		return failed(http.StatusForbidden, "AccessDenied")
	}
	return nil
}

func failed(status int, code string) error {
	return &awsjson.Error{Status: status, Type: code, Message: code}
}
