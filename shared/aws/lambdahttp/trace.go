package lambdahttp

import "strings"

// The parts of a traceparent: "00-<32 digits>-<16 digits>-<2 digits>".
const traceparentLength = 55

// parseTraceparent returns s as a traceparent of version 00 if it is a valid one. One of a later version is read as far as
// version 00 goes, as the standard asks. What is answered holds hexadecimal digits and hyphens only, so that a stranger cannot put
// words into our logs.
// See https://www.w3.org/TR/trace-context/#traceparent-header-field-values.
func parseTraceparent(s string) (string, bool) {
	if len(s) < traceparentLength || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	switch {
	case !hexadecimal(version) || !hexadecimal(trace) || !hexadecimal(parent) || !hexadecimal(flags):
		return "", false
	case strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "":
		return "", false
	case version == "ff":
		return "", false
	case version == "00" && len(s) > traceparentLength:
		return "", false
	case len(s) > traceparentLength && s[traceparentLength] != '-':
		return "", false
	}
	return "00" + s[2:traceparentLength], true
}

// hexadecimal reports whether s is of lower-case hexadecimal digits.
func hexadecimal(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
