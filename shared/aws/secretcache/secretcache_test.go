package secretcache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/secretcache"
	"signalbox/shared/dev/local/cloud/inprocess"
	cloud "signalbox/shared/dev/local/cloud/secretsmanager"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/secret/secrettest"
)

func cache(h http.Handler, log io.Writer) *secretcache.Cache {
	config := awsconfig.Base("eu-central-1", &http.Client{Transport: inprocess.Transport{Handler: h}})
	config.Credentials = awsconfig.Static("local", "local", "")
	return secretcache.New(secretsmanager.NewFromConfig(config), slog.New(slog.NewTextHandler(log, nil)))
}

func TestSource(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, func(t *testing.T, held map[string]secret.Versions) secret.Source {
		h := cloud.New(nil)
		h.Refused = func(message string) { t.Error(message) }
		for name, versions := range held {
			var plain []string
			for _, v := range versions {
				plain = append(plain, string(v))
			}
			encoded, err := json.Marshal(plain)
			if err != nil {
				t.Fatal(err)
			}
			h.Set(name, string(encoded))
		}
		return cache(h, io.Discard)
	})
}

func TestValues(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		value string
		want  string // joined by a comma; "" for a malformed one
	}{
		"a plain string is the only version":      {"pepper one", "pepper one"},
		"a JSON array is the versions":            {`["new","old"]`, "new,old"},
		"white space of a plain string is kept":   {"pepper\n", "pepper\n"},
		"a broken array is malformed":             {`["new","old"`, ""},
		"an array of something else is malformed": {`[1,2]`, ""},
		"an empty array is malformed":             {`[]`, ""},
		"an empty version is malformed":           {`["new",""]`, ""},
		"an empty string is malformed":            {"", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			got, err := cache(cloud.New(map[string]string{"s": c.value}), io.Discard).Secret(t.Context(), "s")
			var texts []string
			for _, v := range got {
				texts = append(texts, string(v))
			}
			if joined := strings.Join(texts, ","); joined != c.want {
				t.Errorf("the versions are %q", joined)
			}
			if c.want == "" && (err == nil || fault.Of(err).Code != secretcache.CodeMalformed || strings.Contains(err.Error(), "new")) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]func(*testing.T, *script){
		"a value is asked for once in five minutes": func(t *testing.T, s *script) {
			s.reads("one", 1)
			time.Sleep(5*time.Minute - time.Second)
			s.reads("one", 1)
		},
		"a value that is due is asked for again": func(t *testing.T, s *script) {
			s.reads("one", 1)
			s.cloud.Set("s", "two")
			time.Sleep(5 * time.Minute)
			s.reads("two", 2)
		},
		"a refresh that fails keeps the last good value and is tried again after 30 seconds": func(t *testing.T, s *script) {
			s.reads("one", 1)
			s.fault = cloud.Failed
			time.Sleep(5 * time.Minute)
			s.reads("one", -1)
			time.Sleep(10 * time.Second)
			asked := s.cloud.Calls()
			s.reads("one", asked)
			s.fault = cloud.None
			s.cloud.Set("s", "two")
			time.Sleep(30 * time.Second)
			s.reads("two", asked+1)
		},
		"each refresh that fails is logged, without the secret": func(t *testing.T, s *script) {
			s.reads("one", 1)
			s.fault = cloud.Failed
			for range 2 {
				time.Sleep(5 * time.Minute)
				s.reads("one", -1)
				s.reads("one", -1)
			}
			if lines := s.log.String(); strings.Count(lines, "secret was not refreshed") != 2 || strings.Contains(lines, "one") {
				t.Errorf("the log is %s", lines)
			}
		},
		"a refresh of nearly a second is waited for": func(t *testing.T, s *script) {
			s.reads("one", 1)
			s.cloud.Set("s", "two")
			s.delay = 900 * time.Millisecond
			time.Sleep(5 * time.Minute)
			s.reads("two", 2)
		},
		"a value that could not be read again for an hour is used no longer": func(t *testing.T, s *script) {
			s.reads("one", 1)
			s.fault = cloud.Failed
			time.Sleep(time.Hour - time.Second)
			s.reads("one", -1)
			time.Sleep(time.Second)
			if _, err := s.cache.Secret(t.Context(), "s"); err == nil || fault.Of(err).Kind != fault.Retryable {
				t.Errorf("the error is %v", err)
			}
		},
		"a first call that fails is not remembered": func(t *testing.T, s *script) {
			s.fault = cloud.Throttled
			if _, err := s.cache.Secret(t.Context(), "s"); err == nil || fault.Of(err).Kind != fault.Throttled {
				t.Errorf("the error is %v", err)
			}
			s.fault = cloud.None
			s.reads("one", -1)
		},
		"many who ask at once make one call": func(t *testing.T, s *script) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { s.reads("one", -1) })
			}
			wg.Wait()
			if s.cloud.Calls() != 1 {
				t.Errorf("%d calls were made", s.cloud.Calls())
			}
		},
		"one who goes away does not end the call of the others": func(t *testing.T, s *script) {
			s.delay = time.Second
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := s.cache.Secret(ctx, "s"); err == nil || fault.Of(err).Kind != fault.Retryable {
					t.Errorf("the error is %v", err)
				}
			})
			synctest.Wait()
			s.reads("one", 2)
			wg.Wait()
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t}
				s.cloud = cloud.New(map[string]string{"s": "one"})
				s.cloud.Faulty = func(int) cloud.Fault {
					time.Sleep(s.delay)
					return s.fault
				}
				s.cache = cache(s.cloud, &s.log)
				test(t, s)
				synctest.Wait()
			})
		})
	}
}

type script struct {
	t     *testing.T
	cloud *cloud.Handler
	cache *secretcache.Cache
	fault cloud.Fault
	delay time.Duration // of each reply
	log   bytes.Buffer
}

// reads holds the value to be want, and the calls made until now to be so many; -1 for any.
func (s *script) reads(want string, calls int) {
	s.t.Helper()
	got, err := s.cache.Secret(s.t.Context(), "s")
	if err != nil || string(got[0]) != want {
		s.t.Errorf("the secret is another, or %v", err)
	}
	if calls >= 0 && s.cloud.Calls() != calls {
		s.t.Errorf("%d calls were made, want %d", s.cloud.Calls(), calls)
	}
}
