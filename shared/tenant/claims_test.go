package tenant_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// Signing keys. The last two are the third in other spellings: bits that stand for no byte are not looked at, and zero bytes at the end
// change no signature.
const (
	ownKey          = "whsec_bG9jYWwtdXNlLW9ubHktb3V0cmVhY2gtc2VjcmV0"
	newKey          = "whsec_bG9jYWwtdXNlLW9ubHktcHJldmlvdXMtc2VjcmV0"
	otherKey        = "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE="
	otherKeySpelled = "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCF="
	publicKey       = "whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA="
	otherKeyLonger  = "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCEAAA=="
)

// signed returns an account whose requests are signed with keys of ours. Its tenant calls it as its id says behind the tenant's.
func signed(id string, key, previous secret.Value) tenant.AccountContent[secret.Value] {
	_, name, _ := strings.Cut(id, "-")
	return tenant.AccountContent[secret.Value]{ID: id, Provider: "outreach", ProviderAccount: name, AuthToken: key, PreviousAuthToken: previous}
}

// TestAProviderAccountIsKeptForWhomeverHasIt: also for a tenant whose file was applied by a release that did not look at it.
func TestAProviderAccountIsKeptForWhomeverHasIt(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publish(t, s, box, demo(t))
	for r := range s.All() { // as that release left it
		if strings.HasSuffix(r.Partition, "/provider-account") {
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Delete, Record: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if o := publish(t, s, box, demo(t)); o.Version != 1 || len(o.Changes) != 0 {
		t.Errorf("the same file is version %d", o.Version)
	}
	taker := other(t)
	taker.Accounts[0].ProviderAccount = demo(t).Accounts[0].ProviderAccount
	_, err := tenant.Publish(t.Context(), s, box, peppers, taker)
	if refused, ok := errors.AsType[*tenant.InvalidError](err); !ok || refused.Problems[0].Path != "accounts[0].providerAccount" {
		t.Errorf("%v", err)
	}
	given := demo(t)
	given.Accounts[0].ProviderAccount = "AC00000000000000000000000000newone"
	publish(t, s, box, given)
	publish(t, s, box, taker)
}

// TestAPublicKeyIsHeldByOneTenant: what its other half signs does not name the account either.
func TestAPublicKeyIsHeldByOneTenant(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	with := func(f tenant.File) tenant.File {
		f.Accounts = append(f.Accounts[:1:1], signed(f.Tenant.ID+"-sales", publicKey, ""))
		return f
	}
	publish(t, s, box, with(demo(t)))
	_, err := tenant.Publish(t.Context(), s, box, peppers, with(other(t)))
	if invalid, ok := errors.AsType[*tenant.InvalidError](err); !ok || invalid.Problems[0].Path != "accounts[1].authToken" {
		t.Errorf("%v", err)
	}
}

// TestASigningKeyIsHeldByOneTenantAndToldToNobody: for as long as it is accepted, and also when the file was applied by a release that
// did not look at it.
func TestASigningKeyIsHeldByOneTenantAndToldToNobody(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	with := func(f tenant.File, key, previous secret.Value) tenant.File {
		f.Accounts = append(f.Accounts[:1:1], signed(f.Tenant.ID+"-sales", key, previous))
		return f
	}
	refused := func(path string) {
		t.Helper()
		_, err := tenant.Publish(t.Context(), s, box, peppers, with(other(t), ownKey, ""))
		if invalid, ok := errors.AsType[*tenant.InvalidError](err); !ok || invalid.Problems[0].Path != path {
			t.Errorf("%v", err)
		}
	}
	publish(t, s, box, with(demo(t), ownKey, ""))
	refused("accounts[1].authToken")
	publish(t, s, box, with(demo(t), newKey, ownKey))
	refused("accounts[1].authToken")
	for r := range s.All() { // as a release of before left it
		if strings.HasSuffix(r.Partition, "/signing-key") {
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Delete, Record: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(t, s, box, with(demo(t), newKey, ownKey))
	refused("accounts[1].authToken")
	bytes, _ := standardwebhooks.Key(ownKey)
	ofText, ofBytes := sha256.Sum256([]byte(ownKey)), sha256.Sum256(bytes)
	claims := 0
	for r := range s.All() {
		if strings.HasSuffix(r.Partition, "/signing-key") {
			claims++
		}
		held := r.Partition + " " + r.Sort + " " + string(r.Data)
		for _, told := range []string{ownKey, ownKey[6:], string(bytes), hex.EncodeToString(bytes), hex.EncodeToString(ofText[:]), hex.EncodeToString(ofBytes[:])} {
			if strings.Contains(held, told) {
				t.Errorf("%s/%s tells a key", r.Partition, r.Sort)
			}
		}
	}
	if claims != 2 {
		t.Errorf("%d keys are claimed, want the current and the previous one", claims)
	}
	publish(t, s, box, with(demo(t), newKey, ""))
	publish(t, s, box, with(other(t), ownKey, ""))
}
