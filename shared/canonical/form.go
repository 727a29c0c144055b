package canonical

import "strings"

// The forms are the schema's patterns as code: no regular expression is compiled while a function starts.

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
	if len(s) != 36 || s[14] != '4' || !strings.Contains("89ab", s[19:20]) {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isNamePart(b byte) bool {
	return isLetter(b) || isDigit(b) || b == '_' || b == '.' || b == '-'
}

func isName(s string) bool {
	return all(s, 1, 128, isNamePart) && (isLetter(s[0]) || isDigit(s[0]))
}

func isMetadataName(s string) bool { return all(s, 1, 64, isNamePart) && isLetter(s[0]) }

func isWord(s string) bool {
	return all(s, 1, 32, func(b byte) bool { return isLower(b) || isDigit(b) || b == '_' }) && isLower(s[0])
}

func isConversation(s string) bool {
	channel, rest, ok := strings.Cut(s, ":")
	if !ok || !isWord(channel) {
		return false
	}
	account, rest, ok := strings.Cut(rest, ":")
	if !ok || !all(account, 1, 128, isVisible) {
		return false
	}
	opaque, ok := strings.CutPrefix(rest, "conv:")
	return ok && all(opaque, 1, 512, isVisible)
}

func isE164(s string) bool {
	return all(strings.TrimPrefix(s, "+"), 7, 15, isDigit) && s[0] == '+' && s[1] != '0'
}

func isSHA256(s string) bool { return all(s, 64, 64, isHex) }

func isURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	return ok && len(s) <= maxURL && all(rest, 1, maxURL, isVisible)
}

func isTraceparent(s string) bool {
	return len(s) == 55 && s[2] == '-' && s[35] == '-' && s[52] == '-' &&
		all(s[:2], 2, 2, isHex) && all(s[3:35], 32, 32, isHex) && all(s[36:52], 16, 16, isHex) && all(s[53:], 2, 2, isHex)
}

func isCause(s string) bool { return all(s, 1, 128, isVisible) }
