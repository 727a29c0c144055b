package relay

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/bluebubbles"
	"signalbox/functions/adapter/bluebubbles/imessage"
	signalbox "signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

func TestPrivateChatsStayOnTheMac(t *testing.T) {
	const shop, family, mixed = "iMessage;+;chat100", "iMessage;+;chat200", "iMessage;+;chat300"
	cases := map[string]struct {
		chat    string
		handles []string
		groups  []string
		leaves  bool
	}{
		"somebody who is named":                         {chat: customer, handles: []string{"+15552010551"}, leaves: true},
		"named by a number as people write it":          {chat: customer, handles: []string{"+1 555-201.0551"}, leaves: true},
		"named, by SMS":                                 {chat: "SMS;-;+15552010551", handles: []string{"+15552010551"}, leaves: true},
		"named, and the Mac names no service":           {chat: "any;-;+15552010551", handles: []string{"+15552010551"}, leaves: true},
		"named by an e-mail address, in other letters":  {chat: "iMessage;-;INES.EXAMPLE@mail.example", handles: []string{"ines.example@Mail.example"}, leaves: true},
		"somebody who is not":                           {chat: friend, handles: []string{"+15552010551"}},
		"nobody is named":                               {chat: customer},
		"a number that begins alike":                    {chat: "iMessage;-;+155520105511", handles: []string{"+15552010551"}},
		"a group, by its guid":                          {chat: mixed, groups: []string{mixed}, leaves: true},
		"a group, by its guid with another service":     {chat: "any;+;chat300", groups: []string{mixed}, leaves: true},
		"a group of people who are all named":           {chat: shop, handles: []string{"+15552010551", "+15552010552"}, leaves: true},
		"a group with somebody who is not":              {chat: mixed, handles: []string{"+15552010551", "+15552010552"}},
		"a group that nobody knows who is in":           {chat: family, handles: []string{"+15552010551", "+15552010552"}},
		"a group whose name is a number that is named":  {chat: "iMessage;+;+15552010551", handles: []string{"+15552010551"}},
		"a person whose address is the name of a group": {chat: "iMessage;-;chat300", groups: []string{mixed}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, func(to *Config) { to.Handles, to.Groups = c.handles, c.groups })
				defer func() { d.stop(); d.silent() }()
				d.mac.group(shop, "+15552010551", "+15552010552")
				d.mac.group(mixed, "+15552010551", "+15552010599")
				d.mac.group("any;+;chat300", "+15552010551", "+15552010599")
				d.wait(time.Second)
				d.mac.written("guid-1", c.chat, "secret words")
				d.post(d.mac.posts("new-message", "guid-1"))
				d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "secret words, corrected" })
				d.post(d.mac.posts("updated-message", "guid-1"))
				d.post([]byte(`{"type":"typing-indicator","data":{"display":true,"guid":"` + c.chat + `"}}`))
				d.wait(5 * time.Minute) // it is asked for several times, too
				synctest.Wait()
				if n := len(d.accepted()); n > 0 != c.leaves || c.leaves && n != 2 {
					t.Errorf("%d requests left the Mac: %v", n, d.accepted())
				}
				kept, err := os.ReadFile(filepath.Join(d.config.Folder, "journal"))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(kept), "guid-1") != c.leaves {
					t.Errorf("the journal holds %s", kept)
				}
			})
		})
	}
}

func TestWhatTheServerPostedIsSentAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		d.wait(time.Second)
		d.mac.written("guid-1", customer, "Is it free?")
		body := d.mac.posts("new-message", "guid-1")
		if status := d.post(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
		d.post(body)                                     // the server announces its own sends twice
		d.wait(3 * time.Minute)                          // and it is asked for
		d.post(d.mac.posts("updated-message", "guid-1")) // that it was delivered to the Mac is nothing to tell
		if len(d.sent()) != 1 || d.sent()[0].body != string(body) || d.sent()[0].id != name("guid-1", "") {
			t.Errorf("sent: %v", d.sent())
		}
	})
}

func TestUpdatesAreOfTheirChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		d.wait(time.Second)
		d.mac.written("guid-1", customer, "It is.", mine)
		d.post(d.mac.posts("new-message", "guid-1"))
		asked := len(d.mac.paths())
		d.mac.changed("guid-1", delivered(time.Now()))
		d.post(d.mac.posts("updated-message", "guid-1"))
		d.mac.changed("guid-1", func(m map[string]any) { m["dateRead"] = time.Now().UnixMilli() })
		d.post(d.mac.posts("updated-message", "guid-1"))
		if now := d.mac.paths(); len(now) != asked {
			t.Errorf("the server was asked for %v, which the relay knows", now[asked:])
		}
		d.want("new-message guid-1 It is.", "updated-message guid-1 It is. |delivered0", "updated-message guid-1 It is. |delivered0|read0")

		d.mac.written("guid-2", customer, "And this?", mine, delivered(time.Now())) // the server told of it while the relay was away
		d.post(d.mac.posts("updated-message", "guid-2"))
		d.want(
			"new-message guid-1 It is.", "updated-message guid-1 It is. |delivered0", "updated-message guid-1 It is. |delivered0|read0",
			"updated-message guid-2 And this? |delivered0", "new-message guid-2 And this? |delivered0",
		)
	})
}

func TestWhatWasSaidBeforeSomebodyWasNamedStaysOnTheMac(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.wait(time.Second)
		d.mac.written("guid-1", friend, "before")
		d.wait(time.Hour)
		d.stop()
		d.config.Handles = append(d.config.Handles, "+15552010599")
		d.start()
		d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "before, corrected" })
		d.post(d.mac.posts("updated-message", "guid-1"))
		d.wait(time.Minute)
		d.mac.written("guid-2", friend, "after")
		d.post(d.mac.posts("new-message", "guid-2"))
		d.want("new-message guid-2 after")

		d.set(func() { d.gone = true })
		d.mac.written("guid-3", friend, "waits")
		d.post(d.mac.posts("new-message", "guid-3"))
		d.stop()
		d.set(func() { d.gone, d.config.Handles = false, d.config.Handles[:2] })
		d.start()
		defer d.stop()
		d.wait(time.Hour)
		d.want("new-message guid-2 after")
	})
}

func TestWhoTakesPartInAGroupIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		d.wait(time.Second)
		d.mac.group("iMessage;+;chat100", "+15552010551", "ines.example@mail.example")
		d.mac.written("guid-1", "iMessage;+;chat100", "Both <of> us?")
		d.post(d.mac.posts("new-message", "guid-1"))
		if len(d.sent()) != 1 {
			t.Fatalf("%v", d.sent())
		}
		_, data, _ := read([]byte(d.sent()[0].body))
		if m := imessage.Decode(data); m.Text != "Both <of> us?" || len(m.Chats) != 1 || m.Chats[0].GUID != "iMessage;+;chat100" || len(m.Chats[0].Participants) != 2 {
			t.Errorf("%+v", m)
		}
	})
}

func TestWhatLeavesIsReadByTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := func(asked bool) (all []string) {
			d := newDesk(t)
			d.wait(time.Second)
			tell := func(kind, guid string) {
				if !asked {
					d.post(d.mac.posts(kind, guid))
				} else {
					d.wait(time.Minute)
				}
			}
			d.mac.group("any;+;chat100", "+15552010551", "ines.example@mail.example")
			d.mac.written("guid-1", customer, "Is it free?")
			tell("new-message", "guid-1")
			d.mac.written("guid-2", "any;+;chat100", "It is.", mine)
			tell("new-message", "guid-2")
			d.mac.written("guid-3", customer, "Loved “It is.”", func(m map[string]any) {
				m["associatedMessageGuid"], m["associatedMessageType"] = "p:0/guid-2", "love"
			})
			tell("new-message", "guid-3")
			d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = int64(946688401000), "Is it still free?" })
			tell("updated-message", "guid-1")
			d.mac.changed("guid-2", delivered(time.Now()))
			tell("updated-message", "guid-2")
			d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"], m["partCount"] = int64(946688402000), nil, 0 })
			tell("updated-message", "guid-1")
			d.stop()
			for _, g := range d.sent() {
				r := adapter.Webhook{
					Request:  signalbox.Request{Body: []byte(g.body), Received: time.Now()},
					Provider: "bluebubbles", Kind: "messages", AccountID: "demo-bluebubbles", ProviderAccount: "+15557654355",
				}
				parsed, err := (&bluebubbles.Channel{}).Decode(r).Parse()
				if err != nil {
					t.Fatalf("%v: %s", err, g.body)
				}
				for _, p := range parsed {
					all = append(all, strings.Join([]string{p.Kind, p.Key, p.Person, p.Side, string(p.Event.Direction), string(p.Event.Channel)}, " "))
				}
			}
			return all
		}
		posted, asked := events(false), events(true)
		if diff := cmp.Diff(posted, asked); diff != "" {
			t.Errorf("-posted +asked:\n%s", diff)
		}
		want := []string{
			"message guid-1 +15552010551 +15557654355 inbound imessage",
			"message guid-2 imessage:demo-bluebubbles:chat100 chat100 outbound imessage",
			"reaction guid-3 +15552010551 +15557654355 inbound imessage",
			"edit guid-1|946688401000 +15552010551 +15557654355 inbound imessage",
			"receipt guid-2|delivered imessage:demo-bluebubbles:chat100 chat100 status imessage",
			"retract guid-1|retracted +15552010551 +15557654355 inbound imessage",
		}
		if diff := cmp.Diff(want, posted); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
