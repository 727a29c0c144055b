package outreach

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// The limits of a request.
const (
	maxBody  = 64 << 10
	maxDepth = 10_000 // of values that are not looked into: encoding/json's
	maxID    = 128    // ids of the caller's
	maxLong  = 256    // addresses and names
	maxAhead = 5 * time.Minute
)

// whole is the path of the request itself.
const whole = "$"

// Codes of problems that no event has.
const (
	codeSyntax    = "syntax"
	codeDuplicate = "duplicate"
	codeUnowned   = "unowned"
	codeUnserved  = "unserved"
)

// What the members must be.
const (
	wantSmall    = "must be at most 65536 bytes: leave out the text, or send its beginning"
	wantJSON     = "must be one JSON object in UTF-8, with nothing behind it"
	wantLine     = "must be the address of a line of this account, as its configuration writes it; a new line is known within a minute"
	wantServed   = "must be one of the channels that the line of $.from serves by its configuration; a channel that is added is known within a minute"
	wantObject   = "must be an object"
	wantString   = "must be a string"
	wantOnce     = "must not be written twice"
	wantMember   = "is required"
	wantID       = "must be 1 to 128 printable ASCII characters, with no space at either end"
	wantLong     = "must be 1 to 256 printable ASCII characters, with no space at either end"
	wantName     = "must be 1 to 256 characters without control characters"
	wantE164     = `must be E.164: "+" and 7 to 15 digits, the first of them not 0`
	wantPerson   = "must have a phone, or an id where the channel knows the person by nothing else"
	wantKnown    = `must be the channel's name, ":" and an identifier without spaces, exactly as the person's messages carry it`
	wantPhone    = "must not be a phone number: put it into $.to.phone, or the person's replies are not found"
	wantWord     = "must be 1 to 32 lower-case letters, digits and '_', a letter first: sms, rcs, whatsapp, email, call"
	wantTime     = "must be RFC 3339 with an offset, between the years 1970 and 9999: 2026-11-23T12:00:00Z"
	wantPast     = "must not be more than five minutes ahead: register what was sent, when it was sent"
	wantKind     = `must be "agent" or "automation"`
	wantAccount  = "must be 1 to 128 letters, digits, '_', '.' and '-', a letter or digit first: the account that sent it, as your configuration calls it"
	wantProvider = "must be 1 to 32 lower-case letters, digits and '_', a letter first: the provider of the account that sent it"
)

// value returns a member of an object as it is written, the first of its name. One that is null is not there: many programs write so what
// they do not have.
func value(o jsontext.Value, name string) (jsontext.Value, bool) {
	for other, raw := range o.Members() {
		if other == name {
			return raw, raw != "null"
		}
	}
	return "", false
}

// form reads a request and collects what is wrong with it.
type form struct {
	received time.Time
	problems []canonical.Problem
}

// add reports a problem of a member of the object at path, or of the object where name is empty.
func (f *form) add(path, name, code, reason string) {
	if name != "" {
		path += "." + name
	}
	f.problems = append(f.problems, canonical.Problem{Path: path, Code: code, Reason: reason})
}

// outreach reads the whole request. Members it does not know are ignored.
func (f *form) outreach(o jsontext.Value) outreach {
	f.once(whole, o, "id", "from", "to", "channel", "sentAt", "text", "sequence", "actor", "message")
	var out outreach
	out.id = f.text(whole, o, "id", true, canonical.Printable(maxID), wantID)
	out.from = f.text(whole, o, "from", true, canonical.Printable(maxLong), wantLong)
	out.to = f.to(o)
	out.channel = canonical.Channel(f.text(whole, o, "channel", true, canonical.IsChannel, wantWord))
	out.sentAt, out.written = f.time(o)
	out.text = f.text(whole, o, "text", false, nil, "")
	out.sequence = f.text(whole, o, "sequence", false, canonical.Printable(maxID), wantID)
	out.actor = f.actor(o)
	out.message = f.message(o)
	return out
}

// once reports names that are written twice: which value is meant nobody knows. A name that is not known is not told.
func (f *form) once(path string, o jsontext.Value, known ...string) {
	var room [16]string
	names := room[:0]
	for name := range o.Members() {
		names = append(names, name)
	}
	slices.Sort(names)
	unknown := false
	var twice []string
	for i := range names {
		if i > 0 && names[i] == names[i-1] {
			twice = append(twice, names[i])
			unknown = unknown || !slices.Contains(known, names[i])
		}
	}
	for _, name := range known {
		if slices.Contains(twice, name) {
			f.add(path, name, codeDuplicate, wantOnce)
		}
	}
	if unknown {
		f.add(path, "*", codeDuplicate, wantOnce)
	}
}

// text reads a string. What is optional may be missing, but not empty where it has a form.
func (f *form) text(path string, o jsontext.Value, name string, required bool, has func(string) bool, want string) string {
	raw, ok := value(o, name)
	switch {
	case !ok && required:
		f.add(path, name, canonical.ProblemRequired, wantMember)
	case !ok:
	case raw[0] != '"':
		f.add(path, name, canonical.ProblemType, wantString)
	default:
		text := raw.Text()
		if has != nil && !has(text) {
			f.add(path, name, canonical.ProblemFormat, want)
		}
		return text
	}
	return ""
}

// object reads a member that is an object of members with these names. It returns false where there is none to read.
func (f *form) object(o jsontext.Value, name string, required bool, known ...string) (inner jsontext.Value, ok bool) {
	inner, ok = value(o, name)
	switch {
	case !ok && required:
		f.add(whole, name, canonical.ProblemRequired, wantMember)
	case ok && inner[0] != '{':
		f.add(whole, name, canonical.ProblemType, wantObject)
		ok = false
	case ok:
		f.once(whole+"."+name, inner, known...)
	}
	return inner, ok
}

// to reads whom it was sent to.
func (f *form) to(o jsontext.Value) canonical.Participant {
	const path = whole + ".to"
	inner, ok := f.object(o, "to", true, "phone", "id", "name")
	if !ok {
		return canonical.Participant{}
	}
	before := len(f.problems)
	p := canonical.Participant{
		Phone: f.text(path, inner, "phone", false, canonical.IsE164, wantE164),
		ID:    f.text(path, inner, "id", false, isKnown, wantKnown),
	}
	if len(f.problems) == before {
		switch {
		case p.Phone == "" && p.ID == "":
			f.add(path, "", canonical.ProblemRequired, wantPerson)
		case p.Phone == "" && isNumber(p.ID):
			f.add(path, "id", canonical.ProblemFormat, wantPhone)
		}
	}
	p.DisplayName = f.text(path, inner, "name", false, isName, wantName)
	return p
}

// actor reads who acted.
func (f *form) actor(o jsontext.Value) canonical.Actor {
	const path = whole + ".actor"
	inner, ok := f.object(o, "actor", false, "kind", "via")
	if !ok {
		return canonical.Actor{}
	}
	return canonical.Actor{
		Kind: f.text(path, inner, "kind", true, func(s string) bool { return s == "agent" || s == "automation" }, wantKind),
		Via:  f.text(path, inner, "via", false, isName, wantName),
	}
}

// message reads which message of a provider it is.
func (f *form) message(o jsontext.Value) message {
	const path = whole + ".message"
	inner, ok := f.object(o, "message", false, "provider", "account", "id")
	if !ok {
		return message{}
	}
	return message{
		provider: f.text(path, inner, "provider", true, canonical.IsChannel, wantProvider),
		account:  f.text(path, inner, "account", true, canonical.IsName, wantAccount),
		id:       f.text(path, inner, "id", true, canonical.Printable(maxLong), wantLong),
	}
}

// time reads when it was sent, and how that was written.
func (f *form) time(o jsontext.Value) (at time.Time, written string) {
	before := len(f.problems)
	written = f.text(whole, o, "sentAt", true, func(s string) (ok bool) {
		at, ok = canonical.ParseTime(s)
		return ok
	}, wantTime)
	if len(f.problems) > before {
		return time.Time{}, ""
	}
	if at.Sub(f.received) > maxAhead {
		f.add(whole, "sentAt", canonical.ProblemRange, wantPast)
	}
	if at.After(f.received) { // a clock that is ahead; nobody answers before we know of it, by ours
		at = f.received
	}
	return at, written
}

func isName(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= maxLong && !strings.ContainsFunc(s, unicode.IsControl)
}

// isKnown reports whether s is what a channel knows a person by, behind the channel's name.
func isKnown(s string) bool {
	channel, identifier, ok := strings.Cut(s, ":")
	return ok && canonical.IsChannel(channel) && identifier != "" && canonical.Printable(maxLong)(s) && !strings.Contains(s, " ")
}

// isNumber reports whether an id is a phone number in disguise. Inbound messages of such a person have a phone, of which their thread
// is made. Channels that know people by their phones are written with digits alone, too.
func isNumber(id string) bool {
	channel, identifier, _ := strings.Cut(id, ":")
	phones := []canonical.Channel{canonical.WhatsApp, canonical.SMS, canonical.RCS, "call"}
	return canonical.IsE164(identifier) || slices.Contains(phones, canonical.Channel(channel)) && strings.Trim(identifier, "0123456789") == ""
}
