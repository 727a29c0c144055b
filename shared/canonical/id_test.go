package canonical_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"testing/quick"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/secret"
)

// vectors are frozen: they were computed from the documented derivation by another program, and records in CRMs and stores
// carry what they say. A change of one is a second record for every person and message there is.
type vectors struct {
	Events []struct {
		Tenant, Provider, Account, Kind, Key string
		EventID                              canonical.EventID
	}
	People []struct {
		Platform, Tenant, Identifier string
		ThreadID                     canonical.ThreadID
		PersonKey                    string
	}
	Aliases []struct {
		Platform, Tenant, Kind, Scope, Value string
		AliasID                              string
	}
	Next []struct {
		Platform, Tenant string
		Thread, ThreadID canonical.ThreadID
		Event            canonical.EventID
		PersonKey        string
	}
	Messages []struct{ Tenant, Provider, Account, ProviderMessageID, Key string }
}

func TestIDsAreWhatTheyHaveAlwaysBeen(t *testing.T) {
	var v vectors
	if err := json.Unmarshal(read(t, "testdata/vectors.json"), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Events) < 8 || len(v.People) < 6 || len(v.Aliases) < 5 || len(v.Next) < 2 || len(v.Messages) < 4 {
		t.Fatal("vectors are missing")
	}
	seen := map[string]bool{}
	once := func(id string) {
		if seen[id] {
			t.Errorf("%s twice", id)
		}
		seen[id] = true
	}
	for _, c := range v.Events {
		if got := canonical.NewEventID(c.Tenant, c.Provider, c.Account, c.Kind, c.Key); got != c.EventID {
			t.Errorf("event %.100q: %s, want %s", c.Key, got, c.EventID)
		}
		once(string(c.EventID))
	}
	for _, c := range v.People {
		p := canonical.NewPepper(secret.Value(c.Platform), c.Tenant)
		if got := canonical.NewThreadID(p, c.Identifier); got != c.ThreadID {
			t.Errorf("thread %q: %s, want %s", c.Identifier, got, c.ThreadID)
		}
		if got := canonical.PersonKey(p, c.Identifier); got != c.PersonKey {
			t.Errorf("person %q: %s, want %s", c.Identifier, got, c.PersonKey)
		}
		if got := canonical.Digest(p, "person", c.Identifier); got != c.PersonKey {
			t.Errorf("the digest of person %q: %s, want %s", c.Identifier, got, c.PersonKey)
		}
		once(string(c.ThreadID))
		once(c.PersonKey)
	}
	for _, c := range v.Aliases {
		i := canonical.Identifier{Kind: c.Kind, Scope: c.Scope, Value: c.Value, Claimed: true} // who says so is no part of it
		if got := canonical.AliasID(canonical.NewPepper(secret.Value(c.Platform), c.Tenant), i); got != c.AliasID {
			t.Errorf("alias %q %q %q: %s, want %s", c.Kind, c.Scope, c.Value, got, c.AliasID)
		}
		once(c.AliasID)
	}
	for _, c := range v.Next {
		thread, key := canonical.NextThreadID(canonical.NewPepper(secret.Value(c.Platform), c.Tenant), c.Thread, c.Event)
		if thread != c.ThreadID || key != c.PersonKey {
			t.Errorf("next of %s: %s, %s, want %s, %s", c.Thread, thread, key, c.ThreadID, c.PersonKey)
		}
		once(string(thread))
		once(key)
	}
	for _, c := range v.Messages {
		if got := canonical.MessageKey(c.Tenant, c.Provider, c.Account, c.ProviderMessageID); got != c.Key {
			t.Errorf("message %q: %s, want %s", c.ProviderMessageID, got, c.Key)
		}
		once(c.Key)
	}
}

// TestIDsFitWhereTheyTravel holds for any input: SQS takes 128 alphanumeric and punctuation characters in an id or group
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html), and event ids are UUIDs of
// version 4 (RFC 9562, section 5.4).
func TestIDsFitWhereTheyTravel(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	queue := regexp.MustCompile("^[A-Za-z0-9!\"#$%&'()*+,\\-./:;<=>?@[\\\\\\]^_`{|}~]{1,128}$")
	key := regexp.MustCompile(`^[0-9a-f]{64}$`)
	fits := func(tenant, provider, account, kind, text string) bool {
		event := canonical.NewEventID(tenant, provider, account, kind, text)
		pepper := canonical.NewPepper(secret.Value(account), tenant)
		thread := canonical.NewThreadID(pepper, text)
		return uuid.MatchString(string(event)) && queue.MatchString(string(thread)) &&
			queue.MatchString("dead:"+string(delivery.NewID(event, "salesforce"))+":1000000") &&
			key.MatchString(canonical.PersonKey(pepper, text)) && key.MatchString(canonical.MessageKey(tenant, provider, account, text))
	}
	if err := quick.Check(fits, nil); err != nil {
		t.Error(err)
	}
}
