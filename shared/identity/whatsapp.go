package identity

import (
	"strings"

	"signalbox/shared/canonical"
)

// WhatsApp returns the kind of a WhatsApp user's identifier, "" for what is none: two capital letters of a country, a dot, and letters and
// digits, to several portfolios with "ENT." before them. It is opaque beyond that.
func WhatsApp(s string) string {
	country, rest, ok := strings.Cut(s, ".")
	if !ok || len(country) != 2 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return ""
	}
	kind := canonical.KindBSUID
	if parent, ok := strings.CutPrefix(rest, "ENT."); ok {
		kind, rest = canonical.KindParentBSUID, parent
	}
	for i := range len(rest) {
		if b := rest[i]; (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'z') {
			return ""
		}
	}
	if rest == "" || len(rest) > 128 {
		return ""
	}
	return kind
}
