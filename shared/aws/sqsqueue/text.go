package sqsqueue

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// text is a body as SQS takes it. SQS refuses some characters that JSON lets through unescaped (U+FFFE and U+FFFF) and that
// a stranger can put into a message: there the body becomes the same JSON with those escaped. What is not UTF-8, or holds
// such characters without being JSON, is not ok.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
func text(body []byte) (s string, ok bool) {
	s = string(body)
	if !utf8.ValidString(s) {
		return "", false
	}
	if strings.IndexFunc(s, refused) < 0 {
		return s, true
	}
	if !json.Valid(body) { // in valid JSON those characters stand inside strings only
		return "", false
	}
	s = strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`).Replace(s)
	return s, strings.IndexFunc(s, refused) < 0
}

// refused reports whether SQS refuses a body with r in it.
func refused(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return false
	case r < ' ', r == 0xfffe, r == 0xffff:
		return true
	}
	return false
}
