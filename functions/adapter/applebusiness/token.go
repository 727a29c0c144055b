package applebusiness

import (
	"encoding/base64"
	"math"
	"strings"
	"time"

	"signalbox/shared/jwt"
	"signalbox/shared/secret"
)

// tolerance is how far the time at which a token was issued may be from when it came, either way.
const tolerance = time.Hour

// verify checks the Authorization header of a webhook: a JSON Web Token signed by HMAC-SHA-256 and no other algorithm, whose key are the bytes
// that the secret is the base64 of, issued to the MSP, and of now.
// See https://register.apple.com/resources/messages/msp-rest-api/authorizing-messages.
func verify(authorization, msp string, received time.Time, secrets secret.Versions) error {
	claims, err := jwt.Verify(authorization, secrets, func(s secret.Value) []byte {
		key, err := base64.StdEncoding.DecodeString(string(s))
		if err != nil {
			return nil
		}
		return key
	})
	if err != nil {
		return err
	}
	ours := strings.EqualFold(claims.TextAt("aud"), msp)
	for one := range claims.At("aud").Elements() {
		ours = ours || strings.EqualFold(one.TextAt(), msp)
	}
	now, issued, expires := float64(received.UnixMilli())/1000, claims.At("iat").Float64(), claims.At("exp").Float64()
	switch age := now - issued; {
	case math.IsNaN(issued):
		return rejected("token_malformed")
	case !ours:
		return rejected("token_audience")
	case age > tolerance.Seconds(), age < -tolerance.Seconds(), now > expires:
		return rejected("token_stale")
	}
	return nil
}
