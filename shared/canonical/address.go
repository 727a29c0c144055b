package canonical

// AddressKind is what an address looks like. It is grammar alone: whether a number exists is asked by those who have the
// tables for it.
type AddressKind uint8

// The kinds of address.
const (
	OtherAddress AddressKind = iota // an agent id, an e-mail address, a chat id, a national number
	E164                            // "+" and 7 to 15 digits, the first not 0
	ShortCode                       // 3 to 8 digits
	Alphanumeric                    // a sender's name: up to 11 of letters, digits, " ", "&", "+", "-", "_", ".", a letter among them
)

// ClassifyAddress says what an address is, without its channel's prefix ("whatsapp:" and the like).
func ClassifyAddress(address string) AddressKind {
	switch {
	case isE164(address):
		return E164
	case all(address, 3, 8, isDigit):
		return ShortCode
	case isSenderName(address):
		return Alphanumeric
	default:
		return OtherAddress
	}
}

func isSenderName(s string) bool {
	letters := 0
	ok := all(s, 1, 11, func(b byte) bool {
		switch {
		case isLetter(b):
			letters++
			return true
		case isDigit(b):
			return true
		default:
			return b == ' ' || b == '&' || b == '+' || b == '-' || b == '_' || b == '.'
		}
	})
	return ok && letters > 0 && s[0] != ' ' && s[len(s)-1] != ' '
}
