package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

const (
	key        = secret.Value("whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=")
	older      = secret.Value("whsec_yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc=")
	publicKey  = secret.Value("whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA=")
	privateKey = secret.Value("whsk_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0Dn8WKhC+xVmv6hleTc6EtpVo1dLLCWPrRGwGheKxfy8A==")
)

func minted() time.Time { return time.Unix(1795435200, 0) }

func claims() session.Claims {
	return session.Claims{Account: "acme-site", Visitor: "visitor-42", Line: "chat.acme.example", Origin: "https://acme.example"}
}

func mint(t testing.TB, k secret.Value, change func(*session.Claims), life time.Duration) string {
	t.Helper()
	c := claims()
	if change != nil {
		change(&c)
	}
	token, err := session.Mint(k, c, minted(), life)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forge returns a token of any header and payload, signed by a key if there is one.
func forge(header, payload string, sign func(signed string) []byte) string {
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

func TestVerify(t *testing.T) {
	right := mint(t, key, nil, session.MaxLife)
	asymmetric := mint(t, privateKey, nil, time.Minute)
	parts := strings.Split(right, ".")
	payload := func(members string) string {
		return fmt.Sprintf(`{"aud":"acme-site","sub":"v","line":"l","origin":"https://a.example",%s}`, members)
	}
	publicAsSecret := secret.Value(strings.Replace(string(publicKey), "whpk_", "whsec_", 1))
	cases := map[string]struct {
		token string
		at    time.Duration // after it was minted
		keys  secret.Versions
		code  string // "" is accepted
	}{
		"as it was minted":                     {right, 0, secret.Versions{key}, ""},
		"by the key before":                    {right, 0, secret.Versions{older, key}, ""},
		"by another key":                       {right, 0, secret.Versions{older}, session.CodeWrong},
		"with no key at all":                   {right, 0, nil, session.CodeWrong},
		"in its last second":                   {right, session.MaxLife - time.Second, secret.Versions{key}, ""},
		"when its time is over":                {right, session.MaxLife, secret.Versions{key}, session.CodeExpired},
		"by a clock a minute behind":           {right, -time.Minute, secret.Versions{key}, ""},
		"by a clock further behind":            {right, -time.Minute - time.Second, secret.Versions{key}, session.CodeExpired},
		"by the private half":                  {asymmetric, 0, secret.Versions{publicKey}, ""},
		"by the private half, when it is over": {asymmetric, time.Minute, secret.Versions{publicKey}, session.CodeExpired},
		"by the private half, for a secret":    {asymmetric, 0, secret.Versions{key}, session.CodeWrong},
		"by a secret, for a public key":        {right, 0, secret.Versions{publicKey}, session.CodeWrong},
		"with the public key for a secret":     {mint(t, publicAsSecret, nil, time.Minute), 0, secret.Versions{publicKey}, session.CodeWrong},
		"of another account":                   {mint(t, key, func(c *session.Claims) { c.Account = "rival" }, time.Minute), 0, secret.Versions{key}, session.CodeAccount},
		"with another payload":                 {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(payload(`"iat":1795435200,"exp":1795435260`))) + "." + parts[2], 0, secret.Versions{key}, session.CodeWrong},
		"of no algorithm":                      {forge(`{"alg":"none"}`, payload(`"iat":1795435200,"exp":1795435260`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"of an algorithm that is not known":    {forge(`{"alg":"HS512"}`, payload(`"iat":1795435200,"exp":1795435260`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"without a signature":                  {forge(`{"alg":"HS256"}`, payload(`"iat":1795435200,"exp":1795435260`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeWrong},
		"that asks for what is not known":      {forge(`{"alg":"HS256","crit":["b64"]}`, payload(`"iat":1795435200,"exp":1795435260`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"that holds for longer than any":       {forge(`{"alg":"HS256"}`, payload(`"iat":1795435200,"exp":1795436101`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"that says nothing of its time":        {forge(`{"alg":"HS256"}`, payload(`"x":1`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"whose times run out of range":         {forge(`{"alg":"HS256"}`, payload(`"iat":-9223372036854775808,"exp":9223372036854775807`), func(string) []byte { return nil }), 0, secret.Versions{key}, session.CodeMalformed},
		"with padding":                         {right + "=", 0, secret.Versions{key}, session.CodeWrong},
		"in two parts":                         {parts[0] + "." + parts[1], 0, secret.Versions{key}, session.CodeMalformed},
		"in four":                              {right + ".", 0, secret.Versions{key}, session.CodeMalformed},
		"that is no token":                     {"Bearer", 0, secret.Versions{key}, session.CodeMalformed},
		"that is nothing":                      {"", 0, secret.Versions{key}, session.CodeMalformed},
		"that is longer than any":              {right + strings.Repeat("A", 5000), 0, secret.Versions{key}, session.CodeMalformed},
		"for a key that signs nothing":         {right, 0, secret.Versions{"whsec_", ""}, session.CodeWrong},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := session.Verify(c.token, "acme-site", minted().Add(c.at), c.keys)
			if c.code == "" {
				if err != nil || got.Visitor != "visitor-42" || got.Line != "chat.acme.example" || got.Origin != "https://acme.example" {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if f := fault.Of(err); f == nil || f.Kind != fault.Rejected || f.Code != c.code || got != (session.Claims{}) {
				t.Errorf("%+v, %v; want a rejection with the code %s", got, err, c.code)
			}
		})
	}
}

// TestMintRefusesWhatTheDoorWould: a backend's mistake shows where it is made.
func TestMintRefusesWhatTheDoorWould(t *testing.T) {
	for name, c := range map[string]struct {
		key    secret.Value
		change func(*session.Claims)
		life   time.Duration
	}{
		"no account":                     {key, func(c *session.Claims) { c.Account = "" }, time.Minute},
		"no visitor":                     {key, func(c *session.Claims) { c.Visitor = "" }, time.Minute},
		"a visitor with a long id":       {key, func(c *session.Claims) { c.Visitor = strings.Repeat("v", 201) }, time.Minute},
		"no line":                        {key, func(c *session.Claims) { c.Line = "" }, time.Minute},
		"an origin with a path":          {key, func(c *session.Claims) { c.Origin = "https://acme.example/" }, time.Minute},
		"an origin in capitals":          {key, func(c *session.Claims) { c.Origin = "https://ACME.example" }, time.Minute},
		"an origin in the clear":         {key, func(c *session.Claims) { c.Origin = "http://acme.example" }, time.Minute},
		"an origin of a file":            {key, func(c *session.Claims) { c.Origin = "null" }, time.Minute},
		"more than a quarter of an hour": {key, nil, session.MaxLife + time.Second},
		"no time at all":                 {key, nil, 0},
		"a public key":                   {publicKey, nil, time.Minute},
		"a key that is none":             {"whsec_c2hvcnQ=", nil, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			said := claims()
			if c.change != nil {
				c.change(&said)
			}
			if token, err := session.Mint(c.key, said, minted(), c.life); err == nil {
				t.Errorf("minted %s", token)
			} else if strings.Contains(err.Error(), string(c.key)) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
	for _, origin := range []string{"http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000", "https://acme.example:8443"} {
		mint(t, key, func(c *session.Claims) { c.Origin = origin }, time.Minute)
	}
}

// FuzzVerify: only what was minted is accepted.
func FuzzVerify(f *testing.F) {
	right := mint(f, key, nil, session.MaxLife)
	f.Add(right)
	f.Add(mint(f, privateKey, nil, session.MaxLife))
	f.Add(right[:len(right)-1])
	f.Add(`eyJhbGciOiJub25lIn0.e30.`)
	f.Fuzz(func(t *testing.T, token string) {
		c, err := session.Verify(token, "acme-site", minted(), secret.Versions{key, publicKey})
		if err != nil {
			if fault.Of(err).Kind != fault.Rejected {
				t.Errorf("%v is no rejection", err)
			}
			return
		}
		again, err := json.Marshal(c)
		if err != nil || !bytes.Contains(again, []byte(`"aud":"acme-site"`)) {
			t.Errorf("%s says %s, %v", token, again, err)
		}
	})
}
