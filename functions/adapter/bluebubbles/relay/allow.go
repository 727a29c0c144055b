package relay

import (
	"signalbox/functions/adapter/bluebubbles/imessage"
)

// allowed is who may be forwarded, each with the milliseconds of Unix time since when: what was said before somebody was named stays on the Mac.
// Nobody is allowed whom nobody named.
type allowed struct {
	Handles map[string]int64 `json:"handles"`
	Groups  map[string]int64 `json:"groups"`
}

// allow returns who is allowed from now on by a configuration. Who was before stays so since then.
func (a allowed) allow(c Config, now int64) allowed {
	next := allowed{map[string]int64{}, map[string]int64{}}
	for _, handle := range c.Handles {
		next.Handles[imessage.Address(handle)] = since(a.Handles, imessage.Address(handle), now)
	}
	for _, guid := range c.Groups {
		name, _ := (&imessage.Chat{GUID: guid, Identifier: guid}).Of()
		next.Groups[name] = since(a.Groups, name, now)
	}
	return next
}

func since(before map[string]int64, name string, now int64) int64 {
	if at, held := before[name]; held {
		return at
	}
	return now
}

// all reports whether every chat of a message may be forwarded, and since when. A chat of two may be by the other's address; one of several by its
// own name, or if everybody who takes part is allowed alone.
func (a allowed) all(chats []imessage.Chat) (from int64, ok bool) {
	for i := range chats {
		at, may := a.chat(&chats[i])
		if !may {
			return 0, false
		}
		from = max(from, at)
	}
	return from, len(chats) > 0
}

func (a allowed) chat(c *imessage.Chat) (from int64, ok bool) {
	name, group := c.Of()
	if !group {
		from, ok = a.Handles[name]
		return from, ok
	}
	if from, ok = a.Groups[name]; ok {
		return from, true
	}
	for _, p := range c.Participants {
		at, named := a.Handles[imessage.Address(p.Address)]
		if !named {
			return 0, false
		}
		from = max(from, at)
	}
	return from, len(c.Participants) > 0
}
