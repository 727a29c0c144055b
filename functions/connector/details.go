package connector

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/canonical"
)

// Detail is one line below the words of a message: what came with it, what it offered, or what was chosen. It tells people what they would
// see in the conversation; ids that programs set are left out.
type Detail struct {
	Label string // what it is, "" where the text says so
	Text  string // one line
	URL   string // where it leads, as the provider writes it; "" for nowhere
}

// The bounds of details. A forged message must not fill an activity.
const (
	maxDetails     = 250
	maxDetail      = 2000 // characters of a text
	maxAttachments = 50
)

// Details returns what is shown of a message below its words. It is at most maxDetails long; the last then says how many are left out.
func Details(m *canonical.Message) []Detail {
	if m == nil {
		return nil
	}
	var d details
	d.chosen(m.Postback)
	for i, a := range m.Attachments[:min(len(m.Attachments), maxAttachments)] {
		d.file("", a, "Attachment "+strconv.Itoa(i+1))
	}
	d.place(m.Location)
	for _, c := range m.Contacts {
		d.add("contact", join(", ", slices.Concat([]string{c.Name, c.Organization}, c.Phones, c.Emails)...))
	}
	d.order(m.Order)
	for i, c := range m.Cards {
		d.card(i, c)
	}
	d.list(m.List)
	d.buttons("buttons", m.Suggestions)
	d.template(m.Template)
	if m.ContentType == canonical.ContentUnsupported {
		d.add("not shown here", cmp.Or(m.Kind, "content of another kind"))
	}
	if more := len(d) - maxDetails; more > 0 {
		d = append(d[:maxDetails-1], Detail{Text: fmt.Sprintf("… and %d more", more+1)})
	}
	return d
}

// Below returns the details of an event that is shown by itself, where its summary stands for words that it does not have: none of what
// the summary says already.
func Below(e canonical.Event) []Detail {
	all := Details(e.Message)
	if m := e.Message; m != nil && m.Text == "" && len(all) == 1 && (m.Postback != nil && m.Postback.Description == "" || m.ContentType == canonical.ContentUnsupported) {
		all = nil
	}
	if e.RelatesTo != nil && e.RelatesTo.Kind == isReply {
		all = append([]Detail{earlier()}, all...)
	}
	return all
}

// isReply is the kind of the relation of a reply.
const isReply = "reply"

// earlier is what is shown of a reply to a message that is not shown beside it.
func earlier() Detail { return Detail{Label: "in reply to", Text: "an earlier message"} }

// details is a list while it is made.
type details []Detail

// add adds a line, if it says anything.
func (d *details) add(label, text string) {
	if text = oneLine(text, maxDetail); text != "" {
		*d = append(*d, Detail{Label: label, Text: text})
	}
}

func (d *details) chosen(p *canonical.Postback) {
	if p == nil {
		return
	}
	label := "tapped"
	switch p.Kind {
	case canonical.PostbackList, canonical.PostbackPicker:
		label = "chosen"
	case canonical.PostbackForm:
		label = "form"
	}
	payload := p.Payload
	if len(p.Fields) > 0 {
		payload = "" // the answers say more
	}
	d.add(label, join(", ", cmp.Or(p.Text, payload), p.Description))
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		d.add("answer", join(": ", name, p.Fields[name]))
	}
}

// file adds a file. Every file that is shown, is shown by this.
func (d *details) file(label string, a canonical.Attachment, unnamed string) {
	name := oneLine(cmp.Or(oneLine(a.Name, 300), unnamed), 300)
	if a.ContentType != "" {
		name += " (" + oneLine(a.ContentType, 80) + ")"
	}
	*d = append(*d, Detail{Label: label, Text: name, URL: a.URL})
}

// place adds a location with a link to a map. The link is followed by nobody but who reads it.
func (d *details) place(at *canonical.Location) {
	if at == nil {
		return
	}
	degrees := func(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }
	where := degrees(at.Latitude) + "," + degrees(at.Longitude)
	*d = append(*d, Detail{
		Label: "location", Text: oneLine(join(", ", at.Label, at.Address, where), maxDetail),
		URL: "https://www.google.com/maps/search/?api=1&query=" + url.QueryEscape(where),
	})
}

func (d *details) order(o *canonical.Order) {
	if o == nil {
		return
	}
	total, lines := "", strconv.Itoa(len(o.Items))+" products" // of each there may be several
	if o.Total != "" {
		total = "total " + join(" ", o.Total, o.Currency)
	}
	if len(o.Items) == 1 {
		lines = "1 product"
	}
	d.add("order", cmp.Or(join(", ", o.ID, total), lines))
	for _, item := range o.Items {
		price := ""
		if item.Price != "" {
			price = join(" ", item.Price, o.Currency) + " each"
		}
		d.add("item", strconv.FormatInt(max(item.Quantity, 1), 10)+" × "+join(", ", cmp.Or(item.Name, item.ID, "?"), price))
	}
	d.add("note", o.Text)
}

func (d *details) card(i int, c canonical.Card) {
	number := strconv.Itoa(i + 1)
	d.add("card "+number, cmp.Or(join(": ", c.Title, c.Text), "without words"))
	if c.Media != nil {
		d.file("card "+number, *c.Media, "picture or film")
	}
	d.buttons("card "+number+" buttons", c.Suggestions)
}

func (d *details) list(l *canonical.List) {
	if l == nil {
		return
	}
	asked := l.Title
	if l.Button != "" {
		asked = join(" ", l.Title, "["+l.Button+"]")
	}
	d.add("list", cmp.Or(asked, "to choose from"))
	section := ""
	for _, item := range l.Items {
		if item.Section != section {
			section = item.Section
			d.add("section", section)
		}
		d.add("row", join(": ", item.Title, item.Description))
	}
}

// buttons adds what was offered on one line, each with where it leads.
func (d *details) buttons(label string, all []canonical.Suggestion) {
	texts := make([]string, len(all))
	for i, s := range all {
		leads := ""
		if does := cmp.Or(s.URL, strings.ReplaceAll(s.Kind, "_", " ")); does != "" && does != "reply" {
			leads = "(" + does + ")"
		}
		texts[i] = join(" ", oneLine(s.Text, 300), leads)
	}
	d.add(label, join(" | ", texts...))
}

func (d *details) template(t *canonical.Template) {
	if t == nil {
		return
	}
	var filled []string
	for _, name := range slices.Sorted(maps.Keys(t.Variables)) {
		filled = append(filled, join(": ", name, t.Variables[name]))
	}
	d.add("template", join(", ", slices.Concat([]string{t.ID}, filled)...))
}

// join joins those parts that say anything.
func join(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(part string) bool { return strings.TrimSpace(part) == "" }), by)
}
