package awsstack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signalbox/shared/aws/s3objects"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (s *Stack) bucketClient() *s3.Client { return s3.NewFromConfig(s.config, s3objects.Options) }

// newestBucket returns the newest of the account's buckets whose names begin with a prefix, "" where there is none.
func newestBucket(ctx context.Context, client *s3.Client, prefix string) (newest string, err error) {
	var made time.Time
	pages := s3.NewListBucketsPaginator(client, &s3.ListBucketsInput{Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, b := range page.Buckets {
			if name := aws.ToString(b.Name); strings.HasPrefix(name, prefix) && !aws.ToTime(b.CreationDate).Before(made) { // emulators list all
				newest, made = name, aws.ToTime(b.CreationDate)
			}
		}
	}
	return newest, nil
}

// deleteBucket deletes a bucket with everything in it. It has no versions.
func deleteBucket(ctx context.Context, client *s3.Client, bucket string) error {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		gone := &s3types.Delete{Quiet: aws.Bool(true)}
		for _, o := range page.Contents {
			gone.Objects = append(gone.Objects, s3types.ObjectIdentifier{Key: o.Key})
		}
		if len(gone.Objects) == 0 {
			continue
		}
		left, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: gone})
		if err != nil {
			return err
		}
		if len(left.Errors) > 0 {
			return fmt.Errorf("%d objects of %s are left, the first for %s", len(left.Errors), bucket, aws.ToString(left.Errors[0].Code))
		}
	}
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	return err
}
