package adapter

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/redrive"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// blacklist is a provider's list of who may be written to, of SMS.
type blacklist struct {
	told    []string // in the order in which it was told
	fails   error    // of all
	refuses map[string]error
	during  func() // called while it is told
}

func (b *blacklist) Keeps(c canonical.Channel) bool { return c == canonical.SMS }

func (b *blacklist) Tell(_ context.Context, _ tenant.Account, words []consent.Word) ([]error, error) {
	if during := b.during; during != nil {
		b.during = nil
		during()
	}
	if b.fails != nil {
		return nil, b.fails
	}
	refused := make([]error, len(words))
	for i, w := range words {
		if refused[i] = b.refuses[w.Address]; refused[i] == nil {
			b.told = append(b.told, w.Address+" "+w.Sender+" "+w.State)
		}
	}
	return refused, nil
}

// telling is a reparser that tells.
type telling struct {
	*Reparser
	t     *testing.T
	list  *blacklist
	state *memstore.Store
	out   bytes.Buffer
}

// mayTell is a directory whose account tells.
type mayTell struct{ mayAsk }

func (d *mayTell) Accounts(ctx context.Context, provider string) ([]tenant.Account, error) {
	all, err := d.mayAsk.Accounts(ctx, provider)
	for i := range all {
		all[i].APIURL, all[i].ConsentURL = "", "https://accounts.example.net"
	}
	return all, err
}

func newTelling(t *testing.T, options ...memstore.Option) *telling {
	t.Helper()
	w := &telling{t: t, list: &blacklist{refuses: map[string]error{}}, state: memstore.New(options...)}
	known, id := &mayTell{}, telemetry.Identity{Function: "BatchReparse", Version: "1"}
	w.Reparser = NewReparser(New(keyringtest.New(), Parts{
		Channel: numbered{}, Directory: known, Peppers: known, Logger: telemetry.NewLogger(&w.out, id), Meter: telemetry.NewMeter(&w.out, id),
	}), w.state, memstore.New()).Asks(&listing{}, known).Tells(w.list)
	return w
}

// say keeps what is to be told, as the router does.
func (w *telling) say(address, line, state string, at int, channel canonical.Channel) consent.Word {
	w.t.Helper()
	word := consent.Word{
		Tenant: "first", Account: "shared", Digest: "digest of " + address, Line: line, Sender: line, Channel: channel, State: state,
		At: time.Now().Add(time.Duration(at) * time.Second), EventID: canonical.EventID(fmt.Sprint("e", at)), Address: address,
	}
	sealed, err := w.adapter.sealer.SealTenant(w.t.Context(), word.Place(), []byte(address))
	if err == nil {
		err = w.state.Note(w.t.Context(), word.Record(sealed))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return word
}

// run runs the schedule.
func (w *telling) run() error {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	_, err := w.Handle(ctx, redrive.FetchRequest{Common: redrive.Common{Action: redrive.Again}})
	return err
}

// knows returns what is known to be known of a word.
func (w *telling) knows(word consent.Word) string {
	w.t.Helper()
	knows, err := consent.Knows(w.t.Context(), w.state, consent.Subject{Tenant: word.Tenant, Address: word.Digest}, word.Account, word.Line, word.Channel,
		consent.Mark{EventID: word.EventID})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(knows.State + " " + knows.Reason)
}

// TestTheNewestWordIsTold: of each address and line the last that was said, once, and of channels that the provider keeps no list of nothing.
func TestTheNewestWordIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t)
		w.say("+15552010001", "one", consent.OptedIn, 2, canonical.SMS)
		first := w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
		last := w.say("+15552010001", "one", consent.OptedOut, 3, canonical.SMS)
		w.say("+15552010001", "two", consent.OptedIn, 1, canonical.SMS)
		elsewhere := w.say("+15552010001", "one", consent.OptedIn, 9, canonical.WhatsApp)
		if w.knows(last) != consent.KnowsLater {
			t.Errorf("before, the provider knows: %s", w.knows(last))
		}
		for range 2 {
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"+15552010001 one opted_out", "+15552010001 two opted_in"}, w.list.told); diff != "" {
			t.Error(diff)
		}
		if w.knows(last) != consent.KnowsTold || w.knows(first) != consent.KnowsNothing || w.knows(elsewhere) != consent.KnowsNothing {
			t.Errorf("the provider knows: last %s, first %s, of another channel %s", w.knows(last), w.knows(first), w.knows(elsewhere))
		}
		if strings.Contains(w.out.String(), "1555") {
			t.Errorf("a number is in the log: %s", &w.out)
		}
	})
}

// TestAProviderThatDoesNotTakeAWord: what fails is told again, in the newest words, and what is refused is kept with the reason.
func TestAProviderThatDoesNotTakeAWord(t *testing.T) {
	for name, c := range map[string]struct {
		fails, refuses error
		knows          string // after the first run
		again          bool   // it is told by the second, when nothing fails
	}{
		"throttled":         {fault.New(fault.Throttled, "x", nil), nil, consent.KnowsLater, true},
		"no answer":         {fault.New(fault.Retryable, "x", nil), nil, consent.KnowsLater, true},
		"wrong credentials": {fault.New(fault.Blocked, "x", nil), nil, consent.KnowsLater, true},
		"one fails":         {nil, fault.New(fault.Retryable, "x", nil), consent.KnowsLater, true},
		"one is refused":    {nil, fault.New(fault.Permanent, "invalid_sender_id", nil), consent.KnowsRefused + " invalid_sender_id", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTelling(t)
				word := w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
				other := w.say("+15552010002", "one", consent.OptedOut, 1, canonical.SMS)
				w.list.fails, w.list.refuses[word.Address] = c.fails, c.refuses
				if err := w.run(); err != nil {
					t.Errorf("a run fails at once: %v", err)
				}
				if w.knows(word) != c.knows || (w.knows(other) == consent.KnowsTold) != (c.fails == nil) {
					t.Errorf("the provider knows %q, and of another %q", w.knows(word), w.knows(other))
				}
				if refused := strings.Contains(w.out.String(), `"ConsentUnwritten":1`); refused != !c.again {
					t.Errorf("counted for an operator: %t", refused)
				}
				w.list.fails, w.list.refuses[word.Address], w.list.told = nil, nil, nil
				newer := w.say(word.Address, "one", consent.OptedIn, 2, canonical.SMS)
				if err := w.run(); err != nil {
					t.Error(err)
				}
				if w.knows(newer) != consent.KnowsTold || w.list.told[0] != "+15552010001 one opted_in" || strings.Contains(fmt.Sprint(w.list.told), "1 one opted_out") {
					t.Errorf("then it is told %v, and knows %q", w.list.told, w.knows(newer))
				}
			})
		})
	}
}

// TestAProviderThatIsDownForLongIsAFailure: after an hour the function returns an error, which its alarm counts, until the provider is back.
func TestAProviderThatIsDownForLongIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t)
		word := w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
		w.list.fails = fault.New(fault.Blocked, "twilio_refused", nil)
		for minutes := 0; minutes <= 70; minutes += 5 {
			if err := w.run(); (err != nil) != (minutes > 60) {
				t.Errorf("after %d minutes: %v", minutes, err)
			}
			time.Sleep(5 * time.Minute)
		}
		w.list.fails = nil
		if err := w.run(); err != nil || w.knows(word) != consent.KnowsTold {
			t.Errorf("%v, the provider knows %q", err, w.knows(word))
		}
	})
}

// TestAWordThatFailsHoldsUpNoOther: however many there are, and it is a failure if that goes on.
func TestAWordThatFailsHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t)
		failing := w.say("+15552010000", "one", consent.OptedOut, 0, canonical.SMS)
		w.list.refuses[failing.Address] = fault.New(fault.Retryable, "x", nil)
		const others = 3 * MaxWords
		for i := range others {
			w.say(fmt.Sprint("+1555202", 1000+i), "one", consent.OptedOut, i, canonical.SMS)
		}
		for minutes := 0; minutes <= 70; minutes += 5 {
			if err := w.run(); (err != nil) != (minutes > 60) {
				t.Errorf("after %d minutes: %v", minutes, err)
			}
			time.Sleep(5 * time.Minute)
		}
		if len(w.list.told) != others || w.knows(failing) != consent.KnowsLater {
			t.Errorf("%d are told, and of the other the provider knows %q", len(w.list.told), w.knows(failing))
		}
	})
}

// TestTwoRunsDoNotTellAtOnce: while one run tells a stop, which takes long, a start is said; no other run tells that before the stop is through.
func TestTwoRunsDoNotTellAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t)
		w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
		w.list.during = func() {
			w.say("+15552010001", "one", consent.OptedIn, 2, canonical.SMS)
			if err := w.run(); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			if err := w.run(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"+15552010001 one opted_out", "+15552010001 one opted_in"}, w.list.told); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAKillAnywhereLosesNoWord: whatever write fails, with or without effect, the provider ends with what was said last.
func TestAKillAnywhereLosesNoWord(t *testing.T) {
	for kill := range 12 {
		for _, how := range []memstore.Fault{memstore.Before, memstore.After} {
			synctest.Test(t, func(t *testing.T) {
				calls, broken := 0, false
				w := newTelling(t, memstore.Faulty(func(c memstore.Call) memstore.Fault {
					if !broken {
						return memstore.None
					}
					if calls++; calls == kill+1 {
						return how
					}
					return memstore.None
				}))
				w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
				last := w.say("+15552010001", "one", consent.OptedIn, 2, canonical.SMS)
				other := w.say("+15552010002", "one", consent.OptedOut, 3, canonical.SMS)
				broken = true
				_ = w.run()
				broken = false
				time.Sleep(5 * time.Minute)
				if err := w.run(); err != nil {
					t.Fatal(err)
				}
				if w.knows(last) != consent.KnowsTold || w.knows(other) != consent.KnowsTold || strings.Contains(fmt.Sprint(w.list.told), "1 one opted_out") {
					t.Errorf("call %d: told %v, known %q and %q", kill, w.list.told, w.knows(last), w.knows(other))
				}
				page, _, err := w.state.List(t.Context(), consent.Waiting("shared"))
				if err != nil || len(page) > 0 {
					t.Errorf("call %d: %d wait still, %v", kill, len(page), err)
				}
			})
		}
	}
}

// TestAWordThatNobodyCanOpen: what waits about others is told all the same, and a newer word than it about the same is, too. It stays where it
// is, and is counted.
func TestAWordThatNobodyCanOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTelling(t)
		unreadable := func(word consent.Word) {
			if err := w.state.Note(t.Context(), word.Record([]byte("sealed for another place"))); err != nil {
				t.Fatal(err)
			}
		}
		alone := w.say("+15552010001", "one", consent.OptedOut, 1, canonical.SMS)
		unreadable(alone)
		w.say("+15552010002", "one", consent.OptedIn, 1, canonical.SMS)
		unreadable(w.say("+15552010002", "one", consent.OptedOut, 2, canonical.SMS))
		w.say("+15552010003", "one", consent.OptedOut, 1, canonical.SMS)
		if err := w.run(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"+15552010002 one opted_out", "+15552010003 one opted_out"}, w.list.told); diff != "" {
			t.Error(diff)
		}
		if w.knows(alone) != consent.KnowsLater || !strings.Contains(w.out.String(), `"Name":"SpoolUnreadable"`) {
			t.Errorf("the provider knows: %s; counted: %s", w.knows(alone), &w.out)
		}
	})
}
