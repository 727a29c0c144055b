package consent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

const phone, second = "+15551234567", "+15559876543"

// subject returns an address of the person whom phone was the first of.
func subject(address string) consent.Subject {
	p := canonical.NewPepper(secret.Value("local-use-only-pepper"), "demo")
	return consent.NewSubject(p, "demo", address, canonical.PersonKey(p, phone), false)
}

func apply(t *testing.T, s consent.Store, address string, m consent.Mark) consent.Held {
	t.Helper()
	held, err := consent.Apply(t.Context(), s, subject(address), consent.Entry{Mark: m, Actor: "customer", Recorded: m.At})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func may(t *testing.T, s consent.Reader, address string, c canonical.Channel, purpose string) consent.Answer {
	t.Helper()
	held, err := consent.Read(t.Context(), s, subject(address))
	if err != nil {
		t.Fatal(err)
	}
	return consent.DefaultPolicy().May(held.Address, held.Person, consent.Question{Channel: c, Line: "sales", Purpose: purpose})
}

// permutations calls do with every order of n.
func permutations(n int, do func(order []int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(int)
	permute = func(k int) {
		if k == n {
			do(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}

// TestTheOrderOfArrivalNeverChangesTheOutcome tries all of them: five changes at two addresses of one person, by SMS and RCS, two of
// them at one instant, for two purposes.
func TestTheOrderOfArrivalNeverChangesTheOutcome(t *testing.T) {
	t.Parallel()
	type change struct {
		address string
		mark    consent.Mark
	}
	for name, changes := range map[string][]change{
		"one address": {
			{phone, said(consent.OptedIn, day(1))},
			{phone, said(consent.OptedOut, day(2), on(canonical.RCS))},
			{phone, said(consent.OptedIn, day(3))},
			{phone, said(consent.OptedOut, day(3))},
			{phone, said(consent.OptedIn, day(2), marketing)},
		},
		"two addresses": {
			{phone, said(consent.OptedOut, day(2))},
			{second, said(consent.OptedIn, day(1))},
			{second, said(consent.OptedIn, day(3), on(canonical.RCS))},
			{phone, said(consent.OptedIn, day(4))},
			{second, said(consent.OptedOut, day(5), to("service"))},
		},
		"the same event twice": {
			{phone, said(consent.OptedOut, day(2))},
			{phone, said(consent.OptedOut, day(2))},
			{second, said(consent.OptedIn, day(2))},
			{second, said(consent.OptedIn, day(2))},
			{phone, said(consent.OptedIn, day(1))},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first []consent.Answer
			permutations(len(changes), func(order []int) {
				s := memstore.New()
				for _, i := range order {
					apply(t, s, changes[i].address, changes[i].mark)
				}
				var answers []consent.Answer
				for _, address := range []string{phone, second} {
					for _, channel := range []canonical.Channel{canonical.SMS, canonical.RCS, canonical.WhatsApp} {
						answers = append(answers, may(t, s, address, channel, consent.Messaging), may(t, s, address, channel, consent.Marketing))
					}
				}
				if first == nil {
					first = answers
				}
				if diff := cmp.Diff(first, answers); diff != "" {
					t.Fatalf("in the order %v: %s", order, diff)
				}
			})
		})
	}
}

// TestJoinedPersonsKeepEveryStop in whatever order the two are named, and whatever was joined before.
func TestJoinedPersonsKeepEveryStop(t *testing.T) {
	t.Parallel()
	a, b := ledger(said(consent.OptedOut, day(1))), ledger(said(consent.OptedOut, day(2)), said(consent.OptedOut, day(1), on(canonical.WhatsApp)))
	for _, joined := range []consent.Ledger{consent.Join(a, b), consent.Join(b, a), consent.Join(consent.Join(a, b), a)} {
		for channel, since := range map[canonical.Channel]time.Time{canonical.SMS: day(2), canonical.WhatsApp: day(1)} {
			got := consent.DefaultPolicy().May(nil, joined, consent.Question{Channel: channel, Purpose: consent.Messaging})
			if got.Verdict != consent.Denied || !got.Mark.At.Equal(since) {
				t.Errorf("%s: %+v", channel, got)
			}
		}
	}
}

// TestAStopFollowsAPersonWhoIsFoundToBeAnother, whichever release kept it.
func TestAStopFollowsAPersonWhoIsFoundToBeAnother(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*memstore.Store){
		"of this release": func(s *memstore.Store) { apply(t, s, phone, said(consent.OptedOut, day(2))) },
		"of the release before": func(s *memstore.Store) {
			key := store.Key{Partition: "demo/person/" + subject(phone).Own, Sort: "now/consent/sms/messaging"}
			data := []byte(`{"state":"opted_out","at":"2026-11-02T12:00:00Z","eventId":"old"}`)
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Data: data}}); err != nil {
				t.Error(err)
			}
		},
		"and a start after it": func(s *memstore.Store) {
			apply(t, s, phone, said(consent.OptedOut, day(2)))
			apply(t, s, phone, said(consent.OptedIn, day(3)))
		},
	} {
		s, other := memstore.New(), subject(second)
		stop(s)
		other.Person = other.Own
		for range 2 {
			if err := consent.JoinPersons(t.Context(), s, "demo", subject(phone).Own, other.Own); err != nil {
				t.Fatal(err)
			}
		}
		held, err := consent.Read(t.Context(), s, other)
		if err != nil {
			t.Fatal(err)
		}
		got := consent.DefaultPolicy().May(held.Address, held.Person, consent.Question{Channel: canonical.RCS, Purpose: consent.Messaging})
		if got.Why != consent.WhyElsewhere || !got.Mark.At.Equal(day(2)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAChangeThatIsCutOffAnywhereIsWholeAfterARepeat: the evidence is there before what follows from it.
func TestAChangeThatIsCutOffAnywhereIsWholeAfterARepeat(t *testing.T) {
	t.Parallel()
	for _, does := range []memstore.Fault{memstore.Before, memstore.After} {
		for at := range 6 {
			calls := 0
			s := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
				if calls++; calls == at+1 {
					return does
				}
				return memstore.None
			}))
			entry := consent.Entry{Mark: said(consent.OptedOut, day(1)), Words: "w", List: consent.ListVersion()}
			_, err := consent.Apply(t.Context(), s, subject(phone), entry)
			if err != nil {
				_, err = consent.Apply(t.Context(), s, subject(phone), entry)
			}
			if err != nil {
				t.Fatal(err)
			}
			calls = 6 // nothing fails from here on
			for _, address := range []string{phone, second} {
				if got := may(t, s, address, canonical.SMS, consent.Messaging); got.Verdict != consent.Denied {
					t.Errorf("call %d: %s is %+v", at, address, got)
				}
			}
			log, err := consent.Evidence(t.Context(), s, subject(phone))
			if diff := cmp.Diff([]consent.Entry{entry}, log); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
		}
	}
}

// TestWhatTheReleaseBeforeKeptStillHolds: its records are one a person and channel, and a process of it may still write them.
func TestWhatTheReleaseBeforeKeptStillHolds(t *testing.T) {
	t.Parallel()
	kept := func(person, channel, state string, at time.Time) store.Change {
		data, _ := json.Marshal(map[string]any{"state": state, "at": at, "eventId": "old-" + channel, "keyword": "stop", "source": "keyword"})
		return store.Change{Kind: store.Put, Record: store.Record{
			Key: store.Key{Partition: "demo/person/" + person, Sort: "now/consent/" + channel + "/messaging"}, Number: at.UnixMilli(), Data: data,
		}}
	}
	own := subject(phone).Own
	for name, tt := range map[string]struct {
		old     []store.Change
		now     []consent.Mark
		address string
		channel canonical.Channel
		want    consent.Verdict
	}{
		"a stop":                               {[]store.Change{kept(own, "sms", "opted_out", day(2))}, nil, phone, canonical.SMS, consent.Denied},
		"a stop by RCS, for SMS":               {[]store.Change{kept(own, "rcs", "opted_out", day(2))}, nil, phone, canonical.SMS, consent.Denied},
		"a stop by RCS, not for WhatsApp":      {[]store.Change{kept(own, "rcs", "opted_out", day(2))}, nil, phone, canonical.WhatsApp, consent.Unknown},
		"a start":                              {[]store.Change{kept(own, "sms", "opted_in", day(2))}, nil, phone, canonical.SMS, consent.Allowed},
		"a start that is newer now":            {[]store.Change{kept(own, "sms", "opted_out", day(2))}, []consent.Mark{said(consent.OptedIn, day(3))}, phone, canonical.SMS, consent.Allowed},
		"a stop that is newer now":             {[]store.Change{kept(own, "sms", "opted_in", day(2))}, []consent.Mark{said(consent.OptedOut, day(3))}, phone, canonical.SMS, consent.Denied},
		"a newer one of it":                    {[]store.Change{kept(own, "sms", "opted_out", day(4))}, []consent.Mark{said(consent.OptedIn, day(3))}, phone, canonical.SMS, consent.Denied},
		"a stop of the person, elsewhere":      {[]store.Change{kept(own, "sms", "opted_out", day(2))}, nil, second, canonical.SMS, consent.Denied},
		"a start of the person, not elsewhere": {[]store.Change{kept(own, "sms", "opted_in", day(2))}, nil, second, canonical.SMS, consent.Unknown},
		"two channels that disagree":           {[]store.Change{kept(own, "sms", "opted_in", day(2)), kept(own, "rcs", "opted_out", day(1))}, nil, phone, canonical.RCS, consent.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := memstore.New()
			if _, err := s.Write(t.Context(), tt.old...); err != nil {
				t.Fatal(err)
			}
			for _, m := range tt.now {
				apply(t, s, phone, m)
			}
			if got := may(t, s, tt.address, tt.channel, consent.Messaging); got.Verdict != tt.want {
				t.Errorf("%+v, want %s", got, tt.want)
			}
		})
	}
}

func TestARecordThatCannotBeReadOpensNothing(t *testing.T) {
	t.Parallel()
	for _, sort := range []string{"consent", "now/consent/sms/messaging"} {
		for _, data := range []string{"{", `[]`, `{"state":"open"}`} {
			if sort == "consent" && data == `{"state":"open"}` {
				continue // an object with members of another release
			}
			s := memstore.New()
			key := store.Key{Partition: "demo/person/" + subject(phone).Own, Sort: sort}
			if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Data: []byte(data)}}); err != nil {
				t.Fatal(err)
			}
			if _, err := consent.Read(t.Context(), s, subject(phone)); fault.Of(err).Code != consent.CodeMalformed {
				t.Errorf("%s %s: %v", sort, data, err)
			}
		}
	}
}

// TestNoAddressIsKept looks for it in all that is written.
func TestNoAddressIsKept(t *testing.T) {
	t.Parallel()
	var written []string
	s := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		for _, k := range c.Keys {
			written = append(written, k.Partition+k.Sort)
		}
		return memstore.None
	}))
	apply(t, s, phone, said(consent.OptedOut, day(1)))
	log, err := consent.Evidence(t.Context(), s, subject(phone))
	if err != nil || len(log) != 1 {
		t.Fatal(len(log), err)
	}
	written = append(written, fmt.Sprintf("%+v", log[0]))
	if slices.ContainsFunc(written, func(s string) bool { return strings.Contains(s, phone[1:]) }) {
		t.Error(fmt.Sprint(written))
	}
}

// TestAllAddressesAreFound page by page, by their digests.
func TestAllAddressesAreFound(t *testing.T) {
	t.Parallel()
	s, want := memstore.New(), map[string]bool{}
	for i := range 130 {
		address := fmt.Sprintf("+1555123%04d", i)
		apply(t, s, address, said(consent.OptedOut, day(1)))
		want[subject(address).Address] = true
	}
	after, pages := "", 0
	for {
		known, next, err := consent.All(t.Context(), s, "demo", after)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range known {
			if len(k.Marks) != 1 {
				t.Errorf("%+v", k)
			}
			delete(want, k.Address)
		}
		if after, pages = next, pages+1; after == "" {
			break
		}
	}
	if len(want) > 0 || pages != 2 {
		t.Errorf("%d are missing, of %d pages", len(want), pages)
	}
}
