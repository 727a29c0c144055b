package kmskeys_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/kmskeys"
	"signalbox/shared/dev/local/cloud/inprocess"
	cloud "signalbox/shared/dev/local/cloud/kms"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/keyring/memkeys"
)

func client(h http.Handler) *kms.Client {
	config := awsconfig.Base("eu-central-1", &http.Client{Transport: inprocess.Transport{Handler: h}})
	config.Credentials = awsconfig.Static("local", "local", "")
	return kms.NewFromConfig(config)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Harness {
		master := memkeys.New()
		h := cloud.New(map[string]*memkeys.Keys{"alias/data": master})
		h.Refused = func(message string) { t.Error(message) }
		return keyringtest.Harness{Keys: kmskeys.New(client(h), "alias/data"), Disable: master.SetDisabled, Rotate: master.Rotate}
	})
}

func TestOpenFindsTheKeyByWhatWasWrapped(t *testing.T) {
	t.Parallel()
	c := client(cloud.New(map[string]*memkeys.Keys{"a": memkeys.New(), "b": memkeys.New()}))
	b := keyring.Binding{Tenant: "demo", Purpose: "credentials"}
	_, wrapped, err := kmskeys.New(c, "a").New(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "b"} {
		if plain, err := kmskeys.New(c, name).Open(t.Context(), b, wrapped); err != nil || len(plain) != 32 {
			t.Errorf("a process with the key %q got %v", name, err)
		}
	}
	if _, _, err := kmskeys.New(c, "nobody's").New(t.Context(), b); err == nil || fault.Of(err).Kind != fault.Blocked {
		t.Errorf("a key that is not there is %v", err)
	}
}

func TestErrorsAreSortedAndCarryNoData(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		status int
		kind   fault.Kind
		calls  int
	}{
		"ThrottlingException": {400, fault.Throttled, awsconfig.Attempts}, "LimitExceededException": {400, fault.Throttled, awsconfig.Attempts},
		"KMSInternalException": {500, fault.Retryable, awsconfig.Attempts}, "DependencyTimeoutException": {503, fault.Retryable, awsconfig.Attempts},
		"DisabledException": {400, fault.Blocked, 1}, "KMSInvalidStateException": {400, fault.Blocked, 1},
		"AccessDeniedException": {400, fault.Blocked, 1}, "NotFoundException": {400, fault.Blocked, 1},
		"InvalidCiphertextException": {400, fault.Permanent, 1}, "IncorrectKeyException": {400, fault.Permanent, 1},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				k := kmskeys.New(client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					calls++
					w.WriteHeader(want.status)
					_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"tenant demo is wrong"}`, code)
				})), "a")
				_, err := k.Open(t.Context(), keyring.Binding{Tenant: "demo"}, []byte("x"))
				if err == nil || fault.Of(err).Kind != want.kind || strings.Contains(err.Error(), "demo") {
					t.Errorf("the error is %v", err)
				}
				if (calls > 1) != (want.calls > 1) {
					t.Errorf("it was called %d times", calls)
				}
			})
		})
	}
}
