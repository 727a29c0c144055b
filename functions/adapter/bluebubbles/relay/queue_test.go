package relay

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAGapIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.wait(time.Second)
		d.mac.written("guid-1", customer, "Is it free?")
		d.post(d.mac.posts("new-message", "guid-1"))
		d.mac.written("guid-2", customer, "It is.", mine)
		d.post(d.mac.posts("new-message", "guid-2"))
		d.want("new-message guid-1 Is it free?", "new-message guid-2 It is.")
		d.stop()

		const many = 2*page + 3
		d.wait(time.Hour)
		edited := time.Now().UnixMilli()
		d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "Is it still free?" })
		d.mac.changed("guid-2", delivered(time.Now()))
		for i := range many {
			d.mac.written(fmt.Sprintf("guid-gap-%04d", i), customer, "message")
			d.mac.written(fmt.Sprintf("guid-private-%04d", i), friend, "secret words")
			d.wait(time.Second)
		}
		d.wait(48 * time.Hour)
		d.set(func() { d.got = nil })
		d.start()
		defer d.stop()
		got := d.accepted()
		if len(got) != many+2 || got[0] != "updated-message guid-1 Is it still free? |edited"+strconv.FormatInt(edited, 10) {
			t.Fatalf("%d are told: %v", len(got), got[:min(5, len(got))])
		}
		if got[1] != "updated-message guid-2 It is. |delivered0" || !slices.IsSorted(got[2:]) || got[many+1] != fmt.Sprintf("new-message guid-gap-%04d message", many-1) {
			t.Errorf("%v", got[:5])
		}
		ids := map[string]bool{}
		for _, g := range d.sent() {
			ids[g.id] = true
		}
		if len(ids) != many+2 || !ids[name("guid-gap-0000", "")] {
			t.Errorf("%d ids of %d", len(ids), many+2)
		}
		d.set(func() { d.got = nil })
		d.post(d.mac.posts("new-message", "guid-gap-0001")) // what was asked for and what is posted is one event
		d.wait(10 * time.Minute)
		d.want()
	})
}

func TestNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.set(func() { d.answers = []int{503, 429, 403, 404, 500} })
		d.wait(time.Second)
		d.mac.written("guid-1", customer, "first")
		d.post(d.mac.posts("new-message", "guid-1"))
		d.mac.written("guid-2", customer, "second")
		d.post(d.mac.posts("new-message", "guid-2"))
		d.wait(2 * time.Minute)
		d.want("new-message guid-1 first", "new-message guid-2 second")
		for i := 1; i < 6; i++ {
			if d.sent()[i].id != d.sent()[0].id || d.sent()[i].body != d.sent()[0].body {
				t.Errorf("attempt %d is of something else", i)
			}
			pause := leastPause << (i - 1)
			if waited := d.sent()[i].at.Sub(d.sent()[i-1].at); waited < pause/2 || waited > pause {
				t.Errorf("attempt %d was after %v, want up to %v", i, waited, pause)
			}
		}

		d.set(func() { d.gone = true })
		d.mac.written("guid-3", customer, "third")
		d.post(d.mac.posts("new-message", "guid-3"))
		d.wait(time.Minute)
		d.stop()
		d.set(func() { d.gone = false })
		d.wait(time.Hour)
		d.start()
		d.want("new-message guid-1 first", "new-message guid-2 second", "new-message guid-3 third")

		d.set(func() { d.retry, d.answers = "40", []int{429} })
		began := time.Now()
		d.mac.written("guid-4", customer, "fourth")
		d.post(d.mac.posts("new-message", "guid-4"))
		d.set(func() { d.retry = "" })
		d.wait(time.Minute)
		if last := d.sent()[len(d.sent())-1]; last.status != 204 || last.at.Sub(began) != 40*time.Second {
			t.Errorf("the last attempt was after %v: %d", last.at.Sub(began), last.status)
		}
		d.set(func() { d.answers = []int{413} })
		d.mac.written("guid-5", customer, "too large")
		d.post(d.mac.posts("new-message", "guid-5"))
		d.mac.written("guid-6", customer, "sixth")
		d.post(d.mac.posts("new-message", "guid-6"))
		d.stop()
		d.silent()
		if got := d.accepted(); got[len(got)-1] != "new-message guid-6 sixth" {
			t.Errorf("what can never be accepted holds up the rest: %v", got)
		}
	})
}

func TestAServerThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer func() { d.stop(); d.silent() }()
		d.wait(time.Second)
		d.set(func() { d.mac.down = true })
		d.mac.written("guid-1", customer, "It is.", mine, delivered(time.Now()))
		if status := d.post(d.mac.posts("updated-message", "guid-1")); status != http.StatusServiceUnavailable {
			t.Errorf("status %d of what is asked for later", status)
		}
		d.want()
		d.set(func() { d.mac.down, d.mac.broken = false, "chat/" })
		d.mac.group("iMessage;+;chat100", "+15552010551", "ines.example@mail.example")
		d.mac.written("guid-2", "iMessage;+;chat100", "Both of us?")
		d.mac.written("guid-3", customer, "Hello?")
		d.wait(time.Minute)
		d.want("new-message guid-1 It is. |delivered0", "new-message guid-3 Hello?")
		position := d.relay.journal.position()
		d.set(func() { d.mac.broken = "" })
		d.wait(time.Minute)
		d.want("new-message guid-1 It is. |delivered0", "new-message guid-3 Hello?", "new-message guid-2 Both of us?")
		if d.relay.journal.position() <= position {
			t.Error("the position does not move on")
		}
	})
}

func TestAKillLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(journal string) string
		want   []string
		logged bool
	}{
		"in the middle of a line": {func(s string) string { return s + `{"put":{"ids":["bb_1"],"gu` }, []string{"new-message guid-1 first", "new-message guid-2 second"}, false},
		"a line of a disk that fails": {
			func(s string) string {
				lines := strings.SplitAfter(s, "\n")
				at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"put"`) })
				lines[at] = strings.Repeat("\x00", 80) + "\n"
				return strings.Join(lines, "")
			},
			[]string{"new-message guid-2 second", "new-message guid-1 first"},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.wait(time.Second)
				d.set(func() { d.gone = true })
				d.mac.written("guid-1", customer, "first")
				d.post(d.mac.posts("new-message", "guid-1"))
				d.wait(time.Second)
				d.mac.written("guid-2", customer, "second")
				d.post(d.mac.posts("new-message", "guid-2"))
				d.stop()
				file := filepath.Join(d.config.Folder, "journal")
				kept, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(c.damage(string(kept))), 0o600); err != nil {
					t.Fatal(err)
				}
				d.set(func() { d.gone = false })
				d.start()
				defer d.stop()
				d.want(c.want...)
				if logged := strings.Contains(d.logs.String(), "lines of the journal"); logged != c.logged {
					t.Errorf("logged: %t: %s", logged, d.logs)
				}
				if about, err := os.Stat(file); err != nil || about.Mode().Perm() != 0o600 {
					t.Errorf("%v: others may read it", about.Mode())
				}
			})
		})
	}
}

func TestTheJournalStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(c *Config) { c.Every = 24 * time.Hour })
		const many = 1500
		for i := range many {
			d.wait(10 * time.Minute)
			guid := fmt.Sprintf("guid-%d", i)
			d.mac.written(guid, customer, "message")
			d.post(d.mac.posts("new-message", guid))
		}
		d.stop()
		d.start()
		d.stop()
		kept, err := os.ReadFile(filepath.Join(d.config.Folder, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		week := int(keep / (10 * time.Minute))
		if n := strings.Count(string(kept), "\n"); n > week+10 || n < week {
			t.Errorf("%d lines of %d messages in a week", n, week)
		}
		if len(d.accepted()) != many {
			t.Errorf("%d were accepted", len(d.accepted()))
		}
	})
}
