// Package s3objects is the objects of one Amazon S3 bucket. What goes wrong is sorted into faults here.
package s3objects

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/fault"
	"signalbox/shared/objects"
)

// The codes of the faults of this package.
const (
	CodeThrottled = "objects_throttled" // throttled: S3 asked for patience
	CodeFailed    = "objects_failed"    // retryable: no answer, or a server's error
	CodeUnusable  = "objects_unusable"  // blocked: the bucket or its key is not there or not ours to use
)

// callLimit is how long a call may take with all its attempts, which are the SDK's: both calls are safe to repeat.
const callLimit = 15 * time.Second

// Store is an objects.Store. It is safe for concurrent use.
type Store struct {
	client *s3.Client
	bucket string
}

var _ objects.Store = (*Store)(nil)

// New returns the objects of a bucket.
func New(client *s3.Client, bucket string) *Store { return &Store{client, bucket} }

// Options are those of the client. Where an endpoint is named, an emulator's, buckets have no host of their own. The SDK's checksums are left
// out: what is kept is authenticated by whoever sealed it.
func Options(o *s3.Options) {
	o.UsePathStyle = o.BaseEndpoint != nil
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
}

// Put keeps an object.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	if err := objects.Validate(name, data); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(s.bucket), Key: aws.String(name), Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
	})
	return sorted(err)
}

// Get returns an object.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := objects.Validate(name, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.bucket), Key: aws.String(name)})
	if err != nil {
		return nil, sorted(err)
	}
	defer func() { _ = out.Body.Close() }()
	var data bytes.Buffer
	data.Grow(int(min(max(aws.ToInt64(out.ContentLength), 0), objects.MaxData)) + bytes.MinRead) // so that it is not copied while it grows
	if _, err := data.ReadFrom(io.LimitReader(out.Body, objects.MaxData+1)); err != nil {
		return nil, sorted(err)
	}
	if data.Len() > objects.MaxData {
		return nil, objects.Validate(name, data.Bytes())
	}
	return data.Bytes(), nil
}

// sorted returns the fault of an SDK error. Without the right to list a bucket S3 refuses what is not there.
// See https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
func sorted(err error) error {
	if err == nil {
		return nil
	}
	kept := awsfault.Of(err)
	switch {
	case kept.Code == "NoSuchKey":
		return objects.Absent()
	case kept.Throttled():
		return fault.New(fault.Throttled, CodeThrottled, kept)
	case kept.Unknown(), kept.Code == "RequestTimeout": // S3 did not get all of it in time
		return fault.New(fault.Retryable, CodeFailed, kept)
	default: // AccessDenied, NoSuchBucket, KMS.DisabledException and the like
		return fault.New(fault.Blocked, CodeUnusable, kept)
	}
}
