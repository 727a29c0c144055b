package simulator_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
)

// do makes one request as it is.
func do(t *testing.T, s *simulator.Simulator, method, path, authorization, contentType, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://acme.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", contentType)
	reply, err := (&http.Client{Transport: simulatortest.Transport(s)}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	read, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(read)
}

func limits(t *testing.T, s *simulator.Simulator, authorization string) (int, string) {
	t.Helper()
	return do(t, s, "GET", data+"/limits", authorization, "", "")
}

func TestASessionThatNobodyBeganIsRefused(t *testing.T) {
	s := simulator.New(simulator.Options{})
	session := "Bearer " + s.NewSession()
	for authorization, says := range map[string]string{
		"": "INVALID_AUTH_HEADER", "Basic x": "INVALID_AUTH_HEADER", "Bearer ": "INVALID_SESSION_ID", "Bearer x": "INVALID_SESSION_ID",
	} {
		if status, answer := limits(t, s, authorization); status != 401 || !strings.Contains(answer, says) {
			t.Errorf("%q: %d %s", authorization, status, answer)
		}
	}
	if status, answer := limits(t, s, session); status != 200 || !strings.Contains(answer, `"Remaining":999999`) {
		t.Errorf("refusals count: %d %s", status, answer)
	}
	s.Reset()
	if status, answer := limits(t, s, session); status != 401 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestASessionThatNobodyUsesEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{SessionLife: 2 * time.Hour})
		session := "Bearer " + s.NewSession()
		for _, c := range []struct {
			after  time.Duration
			status int
		}{{0, 200}, {time.Hour, 200}, {2 * time.Hour, 200}, {2*time.Hour + time.Second, 401}, {0, 401}} {
			time.Sleep(c.after)
			if status, answer := limits(t, s, session); status != c.status || status == 401 && !strings.Contains(answer, "INVALID_SESSION_ID") {
				t.Errorf("after %s: %d %s", c.after, status, answer)
			}
		}
	})
}

func TestTheDailyLimitIsOfTheLast24Hours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{DailyLimit: 3})
		ask := func(want int) {
			t.Helper()
			status, answer, header := call(t, s, "GET", data+"/limits", "")
			if status != want || status == 403 && (!strings.Contains(answer, `"errorCode":"REQUEST_LIMIT_EXCEEDED"`) || header.Get("Sforce-Limit-Info") != "api-usage=3/3; api-bursts=1/750") {
				t.Errorf("%d %s %v, want %d", status, answer, header, want)
			}
		}
		ask(200)
		time.Sleep(12 * time.Hour)
		ask(200)
		ask(200)
		ask(403)
		time.Sleep(11 * time.Hour)
		ask(403)
		time.Sleep(time.Hour) // the first of them is forgotten
		ask(200)
		ask(403)
		time.Sleep(48 * time.Hour)
		ask(200)
	})
}

func TestTooManyLongRequestsAtOnceAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Concurrent: 2})
		for range 2 {
			s.Spoil(simulatortest.Fault{Match: data + "/query", DelayMS: 30_000})
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://acme.example"+data+"/query", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			go s.ServeHTTP(httptest.NewRecorder(), r)
		}
		for _, c := range []struct {
			after  time.Duration
			status int
		}{{19 * time.Second, 200}, {2 * time.Second, 403}, {10 * time.Second, 200}} {
			time.Sleep(c.after)
			status, answer, _ := call(t, s, "GET", data+"/limits", "")
			if status != c.status || status == 403 && !strings.Contains(answer, "REQUEST_LIMIT_EXCEEDED") {
				t.Errorf("%d %s, want %d", status, answer, c.status)
			}
		}
	})
}

// signer makes assertions with the key that tests of the connector use.
func signer(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	encoded, err := os.ReadFile("../testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(encoded)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not an RSA key")
	}
	return key
}

func assertion(t *testing.T, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAssertions(t *testing.T) {
	const rs256, form = `{"alg":"RS256"}`, "application/x-www-form-urlencoded"
	key := signer(t)
	claims := func(iss, sub, aud, exp string) string {
		return `{"iss":"` + iss + `","sub":"` + sub + `","aud":"` + aud + `","exp":` + exp + `}`
	}
	const login = "https://login.salesforce.com"
	cases := map[string]struct {
		header, claims string
		contentType    string
		cut            bool   // the signature is of something else
		says           string // "" is a session
	}{
		"as documented":                   {rs256, claims("app", "user@acme.example", login, "946684920"), form, false, ""},
		"exp as a string":                 {rs256, claims("app", "user@acme.example", login, `"946684920"`), form, false, ""},
		"exp with a fraction":             {rs256, claims("app", "user@acme.example", login, `946684920.5`), form, false, ""},
		"a character set with the form":   {rs256, claims("app", "user@acme.example", login, "946684920"), form + "; charset=UTF-8", false, ""},
		"a sandbox":                       {rs256, claims("app", "user@acme.example", "https://test.salesforce.com", "946684920"), form, false, ""},
		"no form":                         {rs256, claims("app", "user@acme.example", login, "946684920"), "text/plain", false, "invalid_request"},
		"another app":                     {rs256, claims("other", "user@acme.example", login, "946684920"), form, false, "invalid_client_id"},
		"no app":                          {rs256, claims("", "user@acme.example", login, "946684920"), form, false, "invalid_client_id"},
		"another user":                    {rs256, claims("app", "other@acme.example", login, "946684920"), form, false, "hasn't approved"},
		"another audience":                {rs256, claims("app", "user@acme.example", "https://acme.example", "946684920"), form, false, "audience is invalid"},
		"it has expired":                  {rs256, claims("app", "user@acme.example", login, "946684799"), form, false, "invalid_grant"},
		"it lasts too long":               {rs256, claims("app", "user@acme.example", login, "946685000"), form, false, "invalid_grant"},
		"it lasts as long as nobody says": {rs256, `{"iss":"app","sub":"user@acme.example","aud":"` + login + `"}`, form, false, "invalid_grant"},
		"another algorithm":               {`{"alg":"none"}`, claims("app", "user@acme.example", login, "946684920"), form, false, "invalid_grant"},
		"another signature":               {rs256, claims("app", "user@acme.example", login, "946684920"), form, true, "invalid_grant"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{Apps: []simulator.App{{ClientID: "app", Username: "user@acme.example", PublicKey: &key.PublicKey}}})
				signed := assertion(t, key, c.header, c.claims)
				if c.cut {
					other := assertion(t, key, c.header, `{}`)
					signed = signed[:strings.LastIndex(signed, ".")] + other[strings.LastIndex(other, "."):]
				}
				form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {signed}}
				status, answer := do(t, s, "POST", "/services/oauth2/token", "", c.contentType, form.Encode())
				var granted struct {
					Token string `json:"access_token"`
					Error string `json:"error"`
				}
				if err := json.Unmarshal([]byte(answer), &granted); err != nil {
					t.Fatal(err)
				}
				if c.says != "" {
					if status != 400 || granted.Error == "" || !strings.Contains(answer, c.says) {
						t.Errorf("%d %s, want %s", status, answer, c.says)
					}
					return
				}
				if status, answer := limits(t, s, "Bearer "+granted.Token); status != 200 {
					t.Errorf("the session: %d %s", status, answer)
				}
			})
		})
	}
}
