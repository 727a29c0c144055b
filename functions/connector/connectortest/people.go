package connectortest

import (
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// nameless makes a delivery one of somebody who did not say what to call them.
func nameless(d delivery.Delivery) delivery.Delivery {
	d.Person.Name, d.Event.Sender.DisplayName = "", ""
	return d
}

// without makes a delivery one of somebody who has no phone, only what the channel knows them by.
func without(d delivery.Delivery, channel canonical.Channel, address string) delivery.Delivery {
	d.Event.Channel, d.Person.Phone = channel, ""
	d.Event.Sender = canonical.Participant{ID: string(channel) + ":" + address, ChannelAddress: address, DisplayName: d.Event.Sender.DisplayName}
	return d
}

// called fails the test unless there is one person, and what the CRM calls them.
func (w *world[R]) called(name string) {
	w.t.Helper()
	if held := w.Held().Persons; len(held) != 1 || held[0].Name != name {
		w.t.Errorf("persons %+v, want one who is called %q", held, name)
	}
}

func calledByNumber[R any](w *world[R]) {
	w.finish(nameless(w.unknown(1, 1)))
	w.called(phone(1))
}

func calledByAddress[R any](w *world[R]) {
	for n, address := range map[int]string{1: "US.900100200300400", 2: "urn:mbid:AQAAY0Q1", 3: "visitor-42"} {
		w.finish(without(nameless(w.unknown(n, 1)), canonical.Web, address))
		found := 0
		for _, p := range w.Held().Persons {
			if p.Name == address && p.Address == address && p.Phone == "" {
				found++
			}
		}
		if found != 1 {
			w.t.Errorf("%d persons are called %q and have it in their field: %+v", found, address, w.Held().Persons)
		}
	}
	w.finish(without(w.unknown(4, 1), canonical.WhatsApp, "BR.1")) // whose name is known
	for _, p := range w.Held().Persons {
		if p.Address == "BR.1" && p.Name != "Person 04" {
			w.t.Errorf("%+v", p)
		}
	}
}

func namedLater[R any](w *world[R]) {
	w.finish(nameless(w.unknown(1, 1)))
	w.finish(nameless(w.known(1, 2)))
	w.called(phone(1))
	w.finish(w.known(1, 3))
	w.called("Person 01")
	w.wire.spoil(nil)
	again := w.known(1, 4)
	again.Person.Name = "Somebody Else"
	w.finish(again)
	w.called("Person 01")
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests once the name is known, the limit is %d", n, w.KnownCalls)
	}
}

func namedLaterByAddress[R any](w *world[R]) {
	w.finish(without(nameless(w.unknown(1, 1)), canonical.WhatsApp, "US.900100200300400"))
	w.finish(without(w.known(1, 2), canonical.WhatsApp, "US.900100200300400"))
	w.called("Person 01")
}

func namedByUser[R any](w *world[R]) {
	w.finish(nameless(w.unknown(1, 1)))
	w.Rename(w.Held().Persons[0].ID, "Given Here")
	w.finish(w.known(1, 2))
	w.called("Given Here")
	w.finish(w.known(1, 3))
	w.called("Given Here")
}

// namedUnlinked is somebody whom we made under their number and whose link is lost, or who writes in another thread.
func namedUnlinked[R any](w *world[R]) {
	w.finish(nameless(w.unknown(1, 1)))
	w.finish(w.unknown(1, 2))
	w.called("Person 01")
	w.Rename(w.Held().Persons[0].ID, "Given Here")
	w.finish(w.unknown(1, 3))
	w.called("Given Here")
}

func namedBefore[R any](w *world[R]) {
	w.AddPerson(phone(1), "Given Here", "")
	w.finish(w.unknown(1, 1))
	w.called("Given Here")
}

// unmatched is somebody who has a number that was another person's, whom the CRM holds under it.
func unmatched[R any](w *world[R]) {
	w.AddPerson(phone(1), "Given Here", "")
	d := w.unknown(1, 1)
	d.Person.Unmatched = true
	w.finish(d)
	if held := w.Held().Persons; len(held) != 2 {
		w.t.Errorf("persons %+v, want another one", held)
	}
}

// advertisement is what brought somebody here.
func advertisement() *canonical.Attribution {
	return &canonical.Attribution{
		SourceType: "ad", SourceID: "120000000000000001", SourceURL: "https://social.example/ads/1", Headline: "Spring offer", ClickID: "ARAk-click",
	}
}

func cameByAd[R any](w *world[R]) {
	first := w.unknown(1, 1)
	first.Event.Attribution = advertisement()
	w.finish(first)
	held := w.Held()
	if len(held.Persons) != 1 || held.Persons[0].Ad != *advertisement() {
		w.t.Errorf("persons %+v, want one who came by %+v", held.Persons, *advertisement())
	}
	second := w.known(1, 2)
	second.Event.Attribution = advertisement()
	second.Event.Attribution.SourceID, second.Event.Attribution.ClickID = "120000000000000002", "ARAk-another"
	w.wire.spoil(nil)
	w.finish(second)
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests, the limit is %d", n, w.KnownCalls)
	}
	w.finish(w.known(1, 3))
	want := map[string]canonical.Attribution{
		messageKey(first): *first.Event.Attribution, messageKey(second): *second.Event.Attribution, messageKey(w.known(1, 3)): {},
	}
	for _, a := range w.Held().Activities {
		if a.Ad != want[a.ExternalID] {
			w.t.Errorf("the message of %s shows the advertisement %+v, want %+v", a.At.Format(time.TimeOnly), a.Ad, want[a.ExternalID])
		}
	}
	w.holds(1, first, second, w.known(1, 3))
}

// longAd has a headline and an id that are longer than any field: neither costs the message.
func longAd[R any](w *world[R]) {
	d := w.unknown(1, 1)
	d.Event.Attribution = advertisement()
	long := make([]rune, 4096)
	for i := range long {
		long[i] = 'é'
	}
	d.Event.Attribution.Headline, d.Event.Attribution.ClickID, d.Event.Attribution.SourceURL = string(long), string(long), "https://x.example/"+string(long[:4000])
	w.finish(d)
	w.holds(1, d)
}

func button[R any](w *world[R]) {
	d := w.unknown(1, 1)
	d.Event.Message = &canonical.Message{Postback: &canonical.Postback{Text: "Track parcel", Payload: "track:77"}}
	d.Event.Message.Summary = canonical.Summarize(*d.Event.Message)
	d.Actions[0].Value["description"] = d.Event.Message.Summary // as the router makes it of a message without words
	w.finish(d)
	held := w.Held()
	if len(held.Persons) != 1 || len(held.Activities) != 1 {
		w.t.Fatalf("%+v", held)
	}
	if said, first := held.Activities[0].Text, held.Persons[0].First; said == "" || said != first {
		w.t.Errorf("the message reads %q, the person's first message %q", said, first)
	}
}
