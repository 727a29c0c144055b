// Package secretcache reads the platform's few secrets from Secrets Manager and keeps them. A secret's value is either a
// JSON array of strings, the versions that are accepted now with the one to send with first, or the only version itself.
package secretcache

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"signalbox/shared/aws/awsfault"
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

// Times of the cache.
const (
	Fresh      = 5 * time.Minute  // how long a value is served without asking again
	retryAfter = 30 * time.Second // how long a stale value is served without asking, after a refresh that failed
	callLimit  = 4 * time.Second  // of one fetch with all its attempts, which are the SDK's
)

// Cache is a secret.Source. A value older than Fresh is still answered at once while one call refreshes it in the
// background; a refresh that fails keeps the last good value. It is safe for concurrent use.
type Cache struct {
	client *secretsmanager.Client

	mu   sync.Mutex
	held map[string]*entry
}

var _ secret.Source = (*Cache)(nil)

// entry is what is known of one secret.
type entry struct {
	versions secret.Versions // nil until the first fetch succeeds
	due      time.Time
	fetching *fetch // nil when none is under way
}

// fetch is one call that all who ask meanwhile share.
type fetch struct {
	done     chan struct{}
	versions secret.Versions
	err      error
}

// New returns an empty Cache.
func New(client *secretsmanager.Client) *Cache {
	return &Cache{client: client, held: map[string]*entry{}}
}

// Secret returns the versions of a secret by its name or ARN.
func (c *Cache) Secret(ctx context.Context, name string) (secret.Versions, error) {
	versions, under := c.look(ctx, name)
	if versions != nil {
		return versions, nil
	}
	select {
	case <-under.done:
		return copied(under.versions), under.err
	case <-ctx.Done():
		return nil, fault.New(fault.Retryable, CodeFailed, ctx.Err())
	}
}

// look returns what is held, starting a fetch where one is due, or the fetch to wait for.
func (c *Cache) look(ctx context.Context, name string) (secret.Versions, *fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.held[name]
	if e == nil {
		e = &entry{}
		c.held[name] = e
	}
	if e.fetching == nil && !time.Now().Before(e.due) {
		e.fetching = &fetch{done: make(chan struct{})}
		// The call belongs to all who wait: it does not end with the one who happened to begin it.
		go c.refresh(context.WithoutCancel(ctx), name, e, e.fetching)
	}
	return copied(e.versions), e.fetching
}

func (c *Cache) refresh(ctx context.Context, name string, e *entry, f *fetch) {
	f.versions, f.err = c.call(ctx, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case f.err == nil:
		e.versions, e.due = f.versions, time.Now().Add(Fresh)
	case e.versions != nil:
		e.due = time.Now().Add(min(retryAfter, Fresh))
	}
	e.fetching = nil
	close(f.done)
}

func (c *Cache) call(ctx context.Context, name string) (secret.Versions, error) {
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

// copied keeps a caller's changes out of the cache; nil stays nil.
func copied(v secret.Versions) secret.Versions { return append(secret.Versions(nil), v...) }

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
