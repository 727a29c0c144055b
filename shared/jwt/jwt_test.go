package jwt_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/jwt"
	"signalbox/shared/secret"
)

// The example of RFC 7515, appendix A.1.
const (
	exampleKey = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
	example    = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

func TestVerify(t *testing.T) {
	key := func(s secret.Value) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(string(s))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw := key(exampleKey)
	signed := example[:strings.LastIndexByte(example, '.')+1]
	_, rest, _ := strings.Cut(example, ".")
	head := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) + "." + rest }
	for name, c := range map[string]struct {
		header string
		keys   secret.Versions
		code   string
	}{
		"of the RFC":                    {"Bearer " + example, secret.Versions{exampleKey}, ""},
		"by the second key":             {"Bearer " + example, secret.Versions{"", "another", exampleKey}, ""},
		"that is made here":             {"bearer " + jwt.Sign([]byte(`{"iss":"joe"}`), raw), secret.Versions{exampleKey}, ""},
		"by another key":                {"Bearer " + example, secret.Versions{"another"}, jwt.CodeSignature},
		"by an empty key":               {"Bearer " + jwt.Sign([]byte(`{"iss":"joe"}`), nil), secret.Versions{"", ""}, jwt.CodeSignature},
		"by no key":                     {"Bearer " + example, nil, jwt.CodeSignature},
		"without a signature":           {"Bearer " + signed, secret.Versions{exampleKey}, jwt.CodeSignature},
		"that asks for none":            {"Bearer " + head(`{"alg":"none"}`), secret.Versions{exampleKey}, jwt.CodeAlgorithm},
		"that asks for another":         {"Bearer " + head(`{"alg":"HS512"}`), secret.Versions{exampleKey}, jwt.CodeAlgorithm},
		"whose head is no JSON":         {"Bearer " + head(`{`), secret.Versions{exampleKey}, jwt.CodeAlgorithm},
		"whose head is no base64":       {"Bearer !." + rest, secret.Versions{exampleKey}, jwt.CodeAlgorithm},
		"of another scheme":             {"Basic " + example, secret.Versions{exampleKey}, jwt.CodeMissing},
		"that is none":                  {"Bearer x", secret.Versions{exampleKey}, jwt.CodeMissing},
		"that is not there":             {"", secret.Versions{exampleKey}, jwt.CodeMissing},
		"whose claims were made anew":   {"Bearer " + jwt.Sign([]byte(`{"iss":"moe"}`), []byte("x")), secret.Versions{exampleKey}, jwt.CodeSignature},
		"whose signature has one more":  {"Bearer " + example + "A", secret.Versions{exampleKey}, jwt.CodeSignature},
		"whose signature has a comment": {"Bearer " + example + ".", secret.Versions{exampleKey}, jwt.CodeSignature},
	} {
		claims, err := jwt.Verify(c.header, c.keys, key)
		switch f := fault.Of(err); {
		case c.code == "" && (err != nil || claims.TextAt("iss") != "joe"):
			t.Errorf("a token %s: %q, %v", name, claims, err)
		case c.code != "" && (err == nil || f.Kind != fault.Rejected || f.Code != c.code || claims != ""):
			t.Errorf("a token %s: %q, %v, want %s", name, claims, err, c.code)
		}
	}
	if claims, err := jwt.Verify("Bearer "+jwt.Sign([]byte("no JSON"), raw), secret.Versions{exampleKey}, key); claims != "" || err != nil {
		t.Errorf("claims that are no JSON are %q, %v", claims, err)
	}
}
