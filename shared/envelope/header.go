package envelope

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// readHeader reads clear members that stand exactly as append writes them, and answers false for all others, which are a JSON
// decoder's: this is on the path of every message, twice.
func readHeader(clear string) (h header, ok bool) {
	r := reader{rest: clear}
	if !strings.HasPrefix(clear, `{"deliveryId":`) {
		r.literal("{")
		h.eventHeader = r.event()
		return h, r.finished()
	}
	r.literal(`{"deliveryId":`)
	h.DeliveryID = r.text()
	r.literal(`,"crm":`)
	h.CRM = r.text()
	r.literal(`,"generation":`)
	h.Generation = r.number()
	r.literal(`,"event":{`)
	event := r.event()
	r.literal("}")
	h.Event = &event
	return h, r.finished()
}

// reader reads what is left. What it reads after something that was not as expected means nothing.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) finished() bool { return !r.failed && r.rest == "" }

func (r *reader) literal(expected string) {
	rest, found := strings.CutPrefix(r.rest, expected)
	r.rest, r.failed = rest, r.failed || !found
}

func (r *reader) event() (e eventHeader) {
	r.literal(`"schemaVersion":`)
	e.SchemaVersion = r.number()
	r.literal(`,"tenantId":`)
	e.TenantID = r.text()
	r.literal(`,"eventId":`)
	e.EventID = r.text()
	r.literal(`,"receivedAt":`)
	if err := e.ReceivedAt.UnmarshalText([]byte(r.text())); err != nil {
		r.failed = true
	}
	return e
}

// text reads a string that needed no escape.
func (r *reader) text() string {
	r.literal(`"`)
	text, rest, found := strings.Cut(r.rest, `"`)
	r.rest, r.failed = rest, r.failed || !found
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '\\' {
			r.failed = true
		}
	}
	return text
}

// number reads digits, of which the first of several is no zero.
func (r *reader) number() int {
	digits := r.rest[:len(r.rest)-len(strings.TrimLeft(r.rest, "0123456789"))]
	n, err := strconv.Atoi(digits)
	r.rest, r.failed = r.rest[len(digits):], r.failed || err != nil || len(digits) > 1 && digits[0] == '0'
	return n
}
