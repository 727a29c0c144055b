package canonical

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// form is what the schema says of a value: how long it, or how many its parts, may be where it is positive, or how far a number may be from zero, else one of those below.
type form int32

// The values that there are, and the patterns.
const (
	oneType form = -1 - iota
	oneDirection
	oneActor
	oneRelation
	oneState
	oneKeyword
	oneReason
	oneConsent
	onePurpose
	formUUID
	formName
	formWord
	formConversation
	formE164
	formSHA256
	formURL
	formLink
	formHex
	formTraceparent
	formCause
)

// fits reports whether s is one of the values or has the pattern, and what is due. The patterns are the schema's as code: no regular
// expression is compiled while a function starts.
func (f form) fits(s string) (ok bool, due string) {
	switch f {
	case oneType:
		return one(Type(s), TypeMessage, TypeEdit, TypeRetract, TypeReceipt, TypeReaction, TypeConsent, TypeChange, TypeIdentity)
	case oneDirection:
		return one(Direction(s), Inbound, Outbound, Status)
	case oneActor:
		return one(s, "customer", "agent", "automation")
	case oneRelation:
		return one(s, "reply", "edit", "retract", "reaction", "receipt")
	case oneState:
		return one(s, "queued", "sending", "sent", "delivered", "read", "failed", "canceled", "expired")
	case oneKeyword:
		return one(s, "stop", "start", "help")
	case oneReason:
		return one(s, NumberChanged, Rotated, Deactivated, Reassigned)
	case oneConsent:
		return one(s, "opted_out", "opted_in")
	case onePurpose:
		return one(s, "messaging", "marketing")
	default:
		return f.matches(s)
	}
}

// matches is fits of the patterns and limits.
func (f form) matches(s string) (ok bool, due string) {
	switch f {
	case formUUID:
		return isUUIDv4(s), "must be a version 4 UUID in lower case"
	case formName:
		return IsName(s), "must be 1 to 128 letters, digits, '_', '.' and '-', beginning with a letter or digit"
	case formWord:
		return IsChannel(s), "must be lower-case letters, digits and '_'"
	case formConversation:
		return isConversation(s), "must be <channel>:<account>:conv:<opaque>"
	case formE164:
		return IsE164(s), "must be E.164"
	case formSHA256:
		return all(s, 64, 64, isHex), "must be 64 lower-case hex digits"
	case formURL:
		return isURL(s), "must be an http or https URL of at most 4096 ASCII characters"
	case formLink:
		return isLink(s), "must be a URL of http or https, or one of tel, sms, mailto or geo, of at most 4096 ASCII characters"
	case formHex:
		return all(s, 2, 256, isHex) && len(s)%2 == 0, "must be 1 to 128 bytes in lower-case hex"
	case formTraceparent:
		return shaped(s, "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx"), "must be a W3C traceparent"
	case formCause:
		return all(s, 1, 128, isVisible), "must be 1 to 128 printable ASCII characters without spaces"
	default:
		return len(s) <= int(f) || utf8.RuneCountInString(s) <= int(f), "is too long"
	}
}

func one[S ~string](s S, values ...S) (ok bool, due string) {
	if slices.Contains(values, s) {
		return true, ""
	}
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return false, "must be one of " + strings.Join(names, ", ")
}

// code returns that of the problem of a string that does not fit.
func (f form) code() string {
	switch {
	case f > 0:
		return ProblemLength
	case f >= onePurpose:
		return ProblemValue
	default:
		return ProblemFormat
	}
}

func isDigit(b byte) bool  { return '0' <= b && b <= '9' }
func isLower(b byte) bool  { return 'a' <= b && b <= 'z' }
func isLetter(b byte) bool { return isLower(b | 0x20) }
func isHex(b byte) bool    { return isDigit(b) || 'a' <= b && b <= 'f' }

// isVisible reports whether b is printable ASCII and no space.
func isVisible(b byte) bool { return '!' <= b && b <= '~' }

// all reports whether every byte of s is of a class, and its length within limits.
func all(s string, least, most int, class func(byte) bool) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !class(s[i]) {
			return false
		}
	}
	return true
}

func isUUIDv4(s string) bool {
	return shaped(s, "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx") && strings.Contains("89ab", s[19:20])
}

func isNamePart(b byte) bool {
	return isLetter(b) || isDigit(b) || b == '_' || b == '.' || b == '-'
}

// IsName reports whether s can be the name of an account, a line or a tenant.
func IsName(s string) bool {
	return all(s, 1, 128, isNamePart) && (isLetter(s[0]) || isDigit(s[0]))
}

func isMetadataName(s string) bool { return all(s, 1, 64, isNamePart) && isLetter(s[0]) }

// IsChannel reports whether s can be a channel's name, or a provider's: lower-case letters, digits and "_", a letter first.
func IsChannel(s string) bool {
	return all(s, 1, 32, func(b byte) bool { return isLower(b) || isDigit(b) || b == '_' }) && isLower(s[0])
}

func isConversation(s string) bool {
	channel, rest, ok := strings.Cut(s, ":")
	if !ok || !IsChannel(channel) {
		return false
	}
	account, rest, ok := strings.Cut(rest, ":")
	if !ok || !all(account, 1, 128, isVisible) {
		return false
	}
	opaque, ok := strings.CutPrefix(rest, "conv:")
	return ok && all(opaque, 1, 512, isVisible)
}

// Printable returns a test for printable ASCII of at most so many bytes, without a space at either end.
func Printable(most int) func(string) bool {
	return func(s string) bool {
		for i := range len(s) {
			if s[i] < ' ' || s[i] > '~' {
				return false
			}
		}
		return s != "" && len(s) <= most && strings.Trim(s, " ") == s
	}
}

// IsE164 reports whether s has the form of E.164: "+" and 7 to 15 digits, the first not 0. Whether there is such a number is asked by
// those who have the tables for it.
func IsE164(s string) bool {
	return all(strings.TrimPrefix(s, "+"), 7, 15, isDigit) && s[0] == '+' && s[1] != '0'
}

func isURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	return ok && len(s) <= maxURL && all(rest, 1, maxURL, isVisible)
}

// isLink reports whether s leads to a page, a number or an address. What would run something where it is shown is none.
func isLink(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	return isURL(s) || ok && len(s) <= maxURL && slices.Contains([]string{"tel", "sms", "mailto", "geo"}, scheme) && all(rest, 1, maxURL, isVisible)
}

// shaped compares s with an example of its form: "0" stands for a digit, "x" for a lower-case hex digit, "+" for a sign, anything else
// for itself.
func shaped(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		fits := s[i] == form[i]
		switch form[i] {
		case '0':
			fits = isDigit(s[i])
		case 'x':
			fits = isHex(s[i])
		case '+':
			fits = s[i] == '+' || s[i] == '-'
		}
		if !fits {
			return false
		}
	}
	return true
}
