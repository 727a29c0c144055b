package applebusiness

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
)

// apples is the extension that Apple's own kinds of messages are of: every other is a business's.
const apples = "com.apple.icloud.apps.messages.business.extension"

// interactive is the reply to something that was more than words.
type interactive struct {
	Extension string `json:"bid"`
	Session   string `json:"sessionIdentifier"`
	App       string `json:"appName"`
	URL       string `json:"URL"` // of a business's extension: its data, in the query
	Reply     bubble `json:"replyMessage"`
	Data      struct {
		Request      string `json:"requestIdentifier"`
		Reply        bubble `json:"replyMessage"`
		List         *list  `json:"listPicker"`
		Event        *event `json:"event"`
		Quick        *quick `json:"quick-reply"`
		Form         *form  `json:"dynamic"`
		Authenticate *state `json:"authenticate"`
		Payment      *state `json:"payment"`
	} `json:"data"`
}

// reference is a reply that Apple holds, as it holds attachments.
type reference struct {
	file
	Title     string `json:"title"`
	Extension string `json:"bid"`
}

// bubble is what the person's device shows of a reply.
type bubble struct {
	Title     string `json:"title"`
	Subtitle  string `json:"subtitle"`
	Alternate string `json:"alternateTitle"`
}

type item struct {
	ID    string `json:"identifier"`
	Title string `json:"title"`
	Value string `json:"value"`
}

type list struct {
	Selected int       `json:"selectedItemCount"` // so many items come first that were chosen, and behind them what was not
	Sections []section `json:"sections"`
}

type section struct {
	Order int    `json:"order"`
	Items []item `json:"items"`
}

type event struct {
	ID       string `json:"identifier"`
	Title    string `json:"title"`
	Location struct {
		Title string `json:"title"`
	} `json:"location"`
	Slots []struct {
		ID       string `json:"identifier"`
		Start    string `json:"startTime"`
		Duration size   `json:"duration"` // seconds
	} `json:"timeslots"`
}

type quick struct {
	Summary  string `json:"summaryText"`
	Selected string `json:"selectedIdentifier"`
	Index    *int   `json:"selectedIndex"`
	Items    []item `json:"items"`
}

type form struct {
	Template string `json:"template"`
	Data     struct {
		Title string `json:"title"`
	} `json:"data"`
	Pages []struct {
		ID    string `json:"pageIdentifier"`
		Title string `json:"title"`
		Items []item `json:"items"`
	} `json:"selections"`
}

// state is how a payment or a sign-in ended. Nothing else of one is read: neither a token nor an address nor what a card is called.
type state struct {
	Status string `json:"status"`
	State  string `json:"state"`
}

// reply returns what a person chose or filled in, or nil and what the provider calls it.
func (p *payload) reply() (reply *canonical.Postback, kind string) {
	i := p.interactive
	switch {
	case i == nil && p.reference != nil:
		return &canonical.Postback{Kind: "reference", Text: strings.TrimSuffix("Reply to: "+p.reference.Title, " to: ")}, ""
	case i == nil:
		return nil, p.kind
	case !strings.HasSuffix(i.Extension, apples) && i.Extension != "":
		reply = &canonical.Postback{Kind: "extension", Text: cmp.Or(i.Reply.text(), i.App), Payload: i.URL, Description: i.App}
	case i.Data.List != nil:
		reply = i.Data.List.reply()
	case i.Data.Event != nil:
		reply = i.Data.Event.reply()
	case i.Data.Quick != nil:
		reply = i.Data.Quick.reply()
	case i.Data.Form != nil:
		reply = i.Data.Form.reply()
	case i.Data.Authenticate != nil:
		reply = i.Data.Authenticate.reply("authentication")
	case i.Data.Payment != nil:
		reply = i.Data.Payment.reply("payment")
	default:
		reply = &canonical.Postback{}
	}
	shown := i.Data.Reply.text()
	reply.Text = cmp.Or(reply.Text, shown)
	if reply.Description == "" && shown != reply.Text {
		reply.Description = shown
	}
	if reply.Text == "" && reply.Payload == "" && len(reply.Fields) == 0 {
		return nil, cmp.Or(reply.Kind, p.kind)
	}
	return reply, ""
}

func (b *bubble) text() string { return cmp.Or(b.Title, b.Alternate, b.Subtitle) }

// reply returns the items that were chosen.
func (l *list) reply() *canonical.Postback {
	slices.SortStableFunc(l.Sections, func(a, b section) int { return cmp.Compare(a.Order, b.Order) })
	var chosen []item
	for _, s := range l.Sections {
		chosen = append(chosen, s.Items...)
	}
	if 0 < l.Selected && l.Selected < len(chosen) {
		chosen = chosen[:l.Selected]
	}
	reply := &canonical.Postback{Kind: canonical.PostbackList, Text: titles(chosen)}
	if len(chosen) == 1 {
		reply.Payload = chosen[0].ID
		return reply
	}
	for _, i := range chosen { // no id stands for several
		put(reply, i.ID, i.Title)
	}
	return reply
}

// reply returns the time that was chosen.
func (e *event) reply() *canonical.Postback {
	reply := &canonical.Postback{Kind: canonical.PostbackPicker, Description: e.Title}
	var times []string
	for _, slot := range e.Slots {
		start := slot.Start
		for _, layout := range []string{"2006-01-02T15:04Z0700", "2006-01-02T15:04:05Z0700"} {
			if at, err := time.Parse(layout, start); err == nil {
				start = at.Format(time.RFC3339)
			}
		}
		times = append(times, start)
		reply.Payload = slot.ID
		if slot.Duration > 0 {
			put(reply, "duration", strconv.Itoa(int(slot.Duration)/60)+" minutes")
		}
	}
	reply.Text = strings.Join(times, ", ")
	put(reply, "location", e.Location.Title)
	return reply
}

// reply returns what was tapped: by its id, for some devices, or else by its place.
func (q *quick) reply() *canonical.Postback {
	reply := &canonical.Postback{Payload: q.Selected}
	for n, i := range q.Items {
		if i.ID == q.Selected && q.Selected != "" || q.Selected == "" && q.Index != nil && *q.Index == n {
			reply.Text, reply.Payload = i.Title, i.ID
		}
	}
	return reply
}

// reply returns what was filled in, page by page.
func (f *form) reply() *canonical.Postback {
	reply := &canonical.Postback{Kind: canonical.PostbackForm, Text: f.Data.Title}
	for _, p := range f.Pages {
		put(reply, cmp.Or(p.Title, p.ID), titles(p.Items))
	}
	return reply
}

// reply returns how it ended: one word, and nothing that is none.
func (s *state) reply(kind string) *canonical.Postback {
	const longest = 40
	ended := cmp.Or(s.Status, s.State)
	if strings.Trim(ended, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" || len(ended) > longest {
		ended = ""
	}
	return &canonical.Postback{Kind: kind, Text: ended}
}

// put sets a field that says something.
func put(reply *canonical.Postback, name, value string) {
	if name == "" || value == "" {
		return
	}
	if reply.Fields == nil {
		reply.Fields = map[string]string{}
	}
	reply.Fields[name] = value
}

// titles returns what items are called, or what was typed into them.
func titles(items []item) string {
	all := make([]string, len(items))
	for n, i := range items {
		all[n] = cmp.Or(i.Title, i.Value, i.ID)
		if i.Value != "" && i.Title != "" && i.Value != i.Title {
			all[n] = i.Title + ": " + i.Value
		}
	}
	return strings.Join(all, ", ")
}
