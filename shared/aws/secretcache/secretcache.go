// Package secretcache reads the platform's few secrets from Secrets Manager and keeps them. A secret's value is either a
// JSON array of strings, the versions that are accepted now with the one to send with first, or the only version itself.
package secretcache

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/cache"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// The codes of the faults of this package.
const (
	CodeThrottled = "secret_throttled" // throttled: Secrets Manager asked for patience
	CodeFailed    = "secret_failed"    // retryable: no answer, or a server's error
	CodeMissing   = "secret_missing"   // blocked: there is no such secret, or it may not be read
	CodeMalformed = "secret_malformed" // blocked: the value is empty, binary, or no array of strings although it begins like one
)

// callLimit is how long one fetch may take with all its attempts, which are the SDK's.
const callLimit = 4 * time.Second

// Cache is a secret.Source. A refresh that fails or is slow keeps the last good value for an hour. It is safe for concurrent use.
type Cache struct {
	client *secretsmanager.Client
	held   *cache.Cache[string, secret.Versions]
}

var _ secret.Source = (*Cache)(nil)

// What was read is used for an hour although it cannot be read again: most outages of Secrets Manager are shorter, and what waits for
// the end of a longer one is not lost, while a version that was taken back, or a right to read it, is not used for the life of a process.
const stale = time.Hour

// New returns an empty Cache. What fails while a value is held is logged.
func New(client *secretsmanager.Client, logger *slog.Logger) *Cache {
	return &Cache{client, cache.New[string, secret.Versions](cache.Policy{
		Most: 100, Fresh: 5 * time.Minute, Stale: stale, Refresh: time.Second, Retry: 30 * time.Second,
		Failed: func(ctx context.Context, err error) {
			f := fault.Of(err)
			logger.LogAttrs(ctx, slog.LevelWarn, "secret was not refreshed", slog.String("code", f.Code), slog.String("reason", err.Error()))
		},
	})}
}

// Secret returns the versions of a secret by its name or ARN.
func (c *Cache) Secret(ctx context.Context, name string) (secret.Versions, error) {
	versions, err := c.held.Get(ctx, name, c.fetch)
	if err != nil && ctx.Err() != nil {
		return nil, fault.New(fault.Retryable, CodeFailed, ctx.Err())
	}
	return slices.Clone(versions), err
}

func (c *Cache) fetch(ctx context.Context, name string, _ secret.Versions) (secret.Versions, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	out, err := c.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
	if err != nil {
		return nil, sorted(err)
	}
	return parse(aws.ToString(out.SecretString))
}

var errMalformed = errors.New("secretcache: a secret is a string or a JSON array of strings, none of them empty")

// parse reads a secret's value. What begins like an array has to be one: a slip in it must not become a credential.
func parse(value string) (secret.Versions, error) {
	texts := []string{value}
	if strings.HasPrefix(strings.TrimSpace(value), "[") {
		texts = nil
		if json.Unmarshal([]byte(value), &texts) != nil { // its error would quote the secret
			return nil, fault.New(fault.Blocked, CodeMalformed, errMalformed)
		}
	}
	var versions secret.Versions
	for _, t := range texts {
		if t == "" {
			return nil, fault.New(fault.Blocked, CodeMalformed, errMalformed)
		}
		versions = append(versions, secret.Value(t))
	}
	if len(versions) == 0 {
		return nil, fault.New(fault.Blocked, CodeMalformed, errMalformed)
	}
	return versions, nil
}

// sorted returns the fault of an SDK error.
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors.
func sorted(err error) error {
	e := awsfault.Of(err)
	switch {
	case e.Throttled():
		return fault.New(fault.Throttled, CodeThrottled, e)
	case e.Denied(), e.Code == "ResourceNotFoundException", e.Code == "InvalidRequestException",
		e.Code == "InvalidParameterException", e.Code == "DecryptionFailure", e.Code == "ValidationException":
		return fault.New(fault.Blocked, CodeMissing, e)
	default:
		return fault.New(fault.Retryable, CodeFailed, e)
	}
}
