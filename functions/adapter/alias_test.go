package adapter

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/identity"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

// countingAliases counts reads.
type countingAliases struct {
	identity.Getter
	reads int
	err   error
}

func (c *countingAliases) Get(ctx context.Context, keys ...store.Key) ([]store.Record, error) {
	c.reads++
	if c.err != nil {
		return nil, c.err
	}
	return c.Getter.Get(ctx, keys...)
}

// TestOnlyWhoHasNoPhoneIsLookedFor: a phone's group is the phone's, and its message costs no read.
func TestOnlyWhoHasNoPhoneIsLookedFor(t *testing.T) {
	t.Parallel()
	pepper := canonical.NewPepper(secret.Value("p"), "demo")
	user := canonical.Identifier{Kind: canonical.KindBSUID, Scope: "AC1", Value: "US.900100200300400"}
	aliases := memstore.New()
	data, err := identity.Encode(identity.Alias{Thread: "t1_known", Written: time.Now().Add(-identity.Settled)})
	if err == nil {
		_, err = aliases.Write(t.Context(), store.Change{Record: store.Record{Key: identity.Key("demo", canonical.AliasID(pepper, user)), Data: data}})
	}
	if err != nil {
		t.Fatal(err)
	}
	known := canonical.Participant{ID: "whatsapp:US.900100200300400", Identifiers: []canonical.Identifier{user}}
	both, stranger := known, canonical.Participant{ID: "imessage:x"}
	both.Phone = "+15552010001"
	for name, c := range map[string]struct {
		event  canonical.Event
		down   error
		thread canonical.ThreadID
		reads  int
	}{
		"who is known by another":                 {canonical.Event{Direction: canonical.Inbound, Sender: known}, nil, "t1_known", 1},
		"whom we write to":                        {canonical.Event{Direction: canonical.Outbound, Recipient: known}, nil, "t1_known", 1},
		"who has a phone":                         {canonical.Event{Direction: canonical.Inbound, Sender: both}, nil, "t1_own", 0},
		"who has nothing that leads anywhere":     {canonical.Event{Direction: canonical.Inbound, Sender: stranger}, nil, "t1_own", 0},
		"a receipt, which is of no thread":        {canonical.Event{Type: canonical.TypeReceipt, Direction: canonical.Status, Recipient: known}, nil, "t1_own", 0},
		"a change, which the router follows":      {canonical.Event{Type: canonical.TypeIdentity, Direction: canonical.Inbound, Sender: known}, nil, "t1_own", 0},
		"while aliases cannot be read, its own's": {canonical.Event{Direction: canonical.Inbound, Sender: known}, errors.New("down"), "t1_own", 1},
	} {
		var out bytes.Buffer
		reader := &countingAliases{Getter: aliases, err: c.down}
		a := New(nil, Parts{
			Channel: describing{}, Aliases: reader, Lanes: map[canonical.Type][]Sink{canonical.TypeReceipt: {}},
			Logger: telemetry.NewLogger(&out, telemetry.Identity{}),
		})
		e := c.event
		e.TenantID, e.ThreadID = "demo", "t1_own"
		a.redirect(t.Context(), &e, pepper)
		if e.ThreadID != c.thread || reader.reads != c.reads {
			t.Errorf("%s: %s by %d reads, want %s by %d", name, e.ThreadID, reader.reads, c.thread, c.reads)
		}
		if strings.Contains(out.String(), "900100") {
			t.Errorf("%s: the log says %s", name, out.String())
		}
	}
}

// describing is a channel that only describes itself.
type describing struct{ Channel }

func (describing) Describe() Description { return Description{} }
