package standardwebhooks

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// published is the vector that the specification's own libraries are tested with.
// See https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/go/webhook_test.go.
const (
	publishedSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publishedID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	publishedTimestamp = 1614265330
	publishedBody      = `{"test": 2432232314}`
	publishedSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

// The vector of a change of secrets, with a body beyond ASCII and an asymmetric signature, computed by another implementation.
const (
	newSecret    = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
	oldSecret    = "whsec_yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc="
	changeID     = "msg_01JDEXAMPLE0000000000000001"
	changeTime   = 1795435200
	changeBody   = `{"specversion":"1.0","id":"evt_01JDEXAMPLE1","source":"/channels/webchat/site_7","type":"com.example.message.received.v1","subject":"conv_9f","time":"2026-11-23T12:00:00Z","datacontenttype":"application/json","data":{"text":"héllo"}}`
	newSignature = "v1,u42Mp7DNfUGbD4WreN+7pOSN8MxaZrg+7TGpmu7q7w4="
	oldSignature = "v1,W+Xf6SlfbXTSITz3vbydvkTgdAq762z2Xda6ghBJ8Qo="
	publicKey    = "whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA="
	privateKey   = "whsk_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0Dn8WKhC+xVmv6hleTc6EtpVo1dLLCWPrRGwGheKxfy8A=="
	asymmetric   = "v1a,FEZFSVeZQZBNytm8SaLfbDn0x9z04mO9zc62PqU2X/5qRAZJ6lF9x9YeSJLYE1Rci/Fltt6Aldtu6Xf6tPD+AA=="
)

func TestVerify(t *testing.T) {
	right := func() http.Header {
		return http.Header{
			HeaderID: {publishedID}, HeaderTimestamp: {strconv.Itoa(publishedTimestamp)}, HeaderSignature: {publishedSignature},
		}
	}
	change := func(name string, values ...string) http.Header {
		h := right()
		h[name] = values
		return h
	}
	without := func(name string) http.Header {
		h := right()
		h.Del(name)
		return h
	}
	signedAs := func(id, timestamp string) http.Header {
		return http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}, HeaderSignature: {reference(publishedSecret, id+"."+timestamp+"."+publishedBody)}}
	}
	wrong := "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32))
	changing := func(signatures ...string) http.Header {
		return http.Header{HeaderID: {changeID}, HeaderTimestamp: {strconv.Itoa(changeTime)}, HeaderSignature: {strings.Join(signatures, " ")}}
	}
	at := time.Unix(publishedTimestamp, 0)
	published := secret.Versions{publishedSecret}
	cases := map[string]struct {
		header   http.Header
		body     string
		received time.Time
		secrets  secret.Versions
		code     string // "" is accepted
	}{
		"the published vector":              {right(), publishedBody, at, published, ""},
		"by the secret before":              {right(), publishedBody, at, secret.Versions{newSecret, publishedSecret}, ""},
		"by a secret before the one before": {right(), publishedBody, at, secret.Versions{newSecret, oldSecret}, CodeWrong},
		"with no secret at all":             {right(), publishedBody, at, nil, CodeWrong},
		"over another body":                 {right(), publishedBody + " ", at, published, CodeWrong},
		"another id":                        {change(HeaderID, "msg_other"), publishedBody, at, published, CodeWrong},
		"another time":                      {change(HeaderTimestamp, strconv.Itoa(publishedTimestamp+1)), publishedBody, at, published, CodeWrong},
		"no id":                             {without(HeaderID), publishedBody, at, published, CodeMissing},
		"no time":                           {without(HeaderTimestamp), publishedBody, at, published, CodeMissing},
		"no signature":                      {without(HeaderSignature), publishedBody, at, published, CodeMissing},
		"a blank id":                        {change(HeaderID, ""), publishedBody, at, published, CodeMissing},
		"the id twice":                      {change(HeaderID, publishedID, publishedID), publishedBody, at, published, CodeMalformed},
		"the id twice, joined by a gateway": {signedAs("a,a", strconv.Itoa(publishedTimestamp)), publishedBody, at, published, CodeMalformed},
		"the time twice":                    {change(HeaderTimestamp, "1", "1"), publishedBody, at, published, CodeMalformed},
		"the signature twice":               {change(HeaderSignature, publishedSignature, publishedSignature), publishedBody, at, published, CodeMalformed},
		"the signature twice, joined by a gateway":    {change(HeaderSignature, publishedSignature+","+publishedSignature), publishedBody, at, published, CodeWrong},
		"an id with a dot":                            {signedAs("msg.1", strconv.Itoa(publishedTimestamp)), publishedBody, at, published, CodeMalformed},
		"an id with a blank":                          {signedAs("msg 1", strconv.Itoa(publishedTimestamp)), publishedBody, at, published, CodeMalformed},
		"an id beyond ASCII":                          {signedAs("msg_é", strconv.Itoa(publishedTimestamp)), publishedBody, at, published, CodeMalformed},
		"an id of 256 characters":                     {signedAs(strings.Repeat("m", 256), strconv.Itoa(publishedTimestamp)), publishedBody, at, published, ""},
		"an id of 257 characters":                     {signedAs(strings.Repeat("m", 257), strconv.Itoa(publishedTimestamp)), publishedBody, at, published, CodeMalformed},
		"a time with a fraction":                      {signedAs("m", "1614265330.5"), publishedBody, at, published, CodeMalformed},
		"a time with a sign":                          {signedAs("m", "+1614265330"), publishedBody, at, published, CodeMalformed},
		"a time with a blank":                         {signedAs("m", " 1614265330"), publishedBody, at, published, CodeMalformed},
		"a time in words":                             {signedAs("m", "2021-02-25"), publishedBody, at, published, CodeMalformed},
		"a time in milliseconds":                      {signedAs("m", "1614265330000"), publishedBody, at, published, CodeMalformed},
		"five minutes late":                           {right(), publishedBody, at.Add(Tolerance), published, ""},
		"more than five minutes late":                 {right(), publishedBody, at.Add(Tolerance + time.Millisecond), published, CodeTime},
		"five minutes early":                          {right(), publishedBody, at.Add(-Tolerance), published, ""},
		"more than five minutes early":                {right(), publishedBody, at.Add(-Tolerance - time.Millisecond), published, CodeTime},
		"the greatest time that is read":              {signedAs("m", "999999999999"), publishedBody, at, published, CodeTime},
		"the signature of the new secret alone":       {changing(newSignature), changeBody, time.Unix(changeTime, 0), secret.Versions{newSecret, oldSecret}, ""},
		"the signature of the old secret alone":       {changing(oldSignature), changeBody, time.Unix(changeTime, 0), secret.Versions{newSecret, oldSecret}, ""},
		"both, for who has the old secret alone":      {changing(newSignature, oldSignature), changeBody, time.Unix(changeTime, 0), secret.Versions{oldSecret}, ""},
		"an asymmetric one":                           {changing(asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{publicKey}, ""},
		"an asymmetric one, by the key before":        {changing(asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{otherPublicKey, publicKey}, ""},
		"an asymmetric one, by another key":           {changing(asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{otherPublicKey}, CodeWrong},
		"an asymmetric one over another body":         {changing(asymmetric), changeBody + " ", time.Unix(changeTime, 0), secret.Versions{publicKey}, CodeWrong},
		"an asymmetric one that is called symmetric":  {changing(strings.Replace(asymmetric, "v1a", "v1", 1)), changeBody, time.Unix(changeTime, 0), secret.Versions{publicKey}, CodeWrong},
		"a symmetric one with the public key":         {changing(reference(strings.Replace(publicKey, "whpk_", "whsec_", 1), changeID+"."+strconv.Itoa(changeTime)+"."+changeBody)), changeBody, time.Unix(changeTime, 0), secret.Versions{publicKey}, CodeWrong},
		"both, a secret and a public key":             {changing("v1a,AAAA", asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{newSecret, publicKey}, ""},
		"a secret while a public key is live too":     {changing(newSignature), changeBody, time.Unix(changeTime, 0), secret.Versions{publicKey, newSecret}, ""},
		"a public key that is too short":              {changing(asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{"whpk_AAAA"}, CodeWrong},
		"an asymmetric one verifies by no secret":     {changing(asymmetric), changeBody, time.Unix(changeTime, 0), secret.Versions{newSecret, oldSecret}, CodeWrong},
		"an asymmetric one is skipped":                {changing(asymmetric, newSignature), changeBody, time.Unix(changeTime, 0), secret.Versions{newSecret}, ""},
		"an unknown version is skipped":               {change(HeaderSignature, "v2,x "+publishedSignature), publishedBody, at, published, ""},
		"an unknown version is not v1":                {change(HeaderSignature, "v2"+strings.TrimPrefix(publishedSignature, "v1")), publishedBody, at, published, CodeWrong},
		"without a version":                           {change(HeaderSignature, strings.TrimPrefix(publishedSignature, "v1,")), publishedBody, at, published, CodeWrong},
		"the tenth of ten":                            {change(HeaderSignature, strings.Repeat(wrong+" ", 9)+publishedSignature), publishedBody, at, published, ""},
		"the eleventh of eleven":                      {change(HeaderSignature, strings.Repeat(wrong+" ", 10)+publishedSignature), publishedBody, at, published, CodeWrong},
		"signatures without end":                      {change(HeaderSignature, strings.Repeat(" ", 4096)+publishedSignature), publishedBody, at, published, CodeMalformed},
		"in hex":                                      {change(HeaderSignature, "v1,83484cf52b04f8e4cf2531adfed988"), publishedBody, at, published, CodeWrong},
		"cut to nothing":                              {change(HeaderSignature, "v1,"), publishedBody, at, published, CodeWrong},
		"a secret that is none lets nobody in":        {http.Header{HeaderID: {"m"}, HeaderTimestamp: {"1614265330"}, HeaderSignature: {reference("", "m.1614265330."+publishedBody)}}, publishedBody, at, secret.Versions{""}, CodeWrong},
		"a secret's prefix alone lets nobody in":      {http.Header{HeaderID: {"m"}, HeaderTimestamp: {"1614265330"}, HeaderSignature: {reference("whsec_", "m.1614265330."+publishedBody)}}, publishedBody, at, secret.Versions{"whsec_"}, CodeWrong},
		"a provider's token is no secret for anybody": {http.Header{HeaderID: {"m"}, HeaderTimestamp: {"1614265330"}, HeaderSignature: {reference("c2hvcnQ=", "m.1614265330."+publishedBody)}}, publishedBody, at, secret.Versions{"c2hvcnQ=", "whsec_c2hvcnQ="}, CodeWrong},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := Verify(c.header, []byte(c.body), c.received, c.secrets)
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if got := fault.Of(err); got == nil || got.Kind != fault.Rejected || got.Code != c.code {
				t.Errorf("error %v, want a rejection with the code %s", err, c.code)
			}
		})
	}
}

// otherPublicKey is the key of another pair.
const otherPublicKey = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

// reference signs by the book.
func reference(s, content string) string {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(content))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestSign(t *testing.T) {
	got := Sign(publishedSecret, publishedID, time.Unix(publishedTimestamp, 999_999_999), []byte(publishedBody))
	if got.Get(HeaderSignature) != publishedSignature || got.Get("webhook-id") != publishedID || got.Get("webhook-timestamp") != strconv.Itoa(publishedTimestamp) {
		t.Errorf("signed %v, want %s", got, publishedSignature)
	}
}

// TestSignWithAPrivateKey signs the vector of the other implementation: Ed25519 has one signature.
func TestSignWithAPrivateKey(t *testing.T) {
	got := Sign(privateKey, changeID, time.Unix(changeTime, 0), []byte(changeBody)).Get(HeaderSignature)
	if got != asymmetric {
		t.Errorf("signed %s, want %s", got, asymmetric)
	}
	if _, ok := PrivateKey(publicKey); ok {
		t.Error("a public key signs")
	}
}

func TestKey(t *testing.T) {
	encoded := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, n)) }
	cases := map[string]bool{
		publishedSecret: true, "whsec_" + encoded(24): true, "whsec_" + encoded(64): true,
		"whsec_" + encoded(23): false, "whsec_" + encoded(65): false, "whsec_": false, "": false, encoded(32): false,
		"WHSEC_" + encoded(32): false, "whsk_" + encoded(64): false, "whsec_" + strings.TrimRight(encoded(32), "="): false,
		"whsec_" + strings.Repeat("_", 32): false, "whsec_" + encoded(24) + "\n": false, "whsec_" + encoded(24)[:8] + "\r\n" + encoded(24)[8:]: false,
	}
	for s, want := range cases {
		if key, ok := Key(secret.Value(s)); ok != want || ok != (len(key) >= 24) {
			t.Errorf("%q: %t with %d bytes, want %t", s, ok, len(key), want)
		}
	}
	short, _ := Key(secret.Value("whsec_" + encoded(24)))
	longer := secret.Value("whsec_" + base64.StdEncoding.EncodeToString(append(bytes.Repeat([]byte{1}, 24), 0, 0)))
	if key, ok := Key(longer); !ok || !bytes.Equal(key, short) {
		t.Errorf("%x signs what %x does", key, short)
	}
	if by := reference(string(longer), "x"); by != reference("whsec_"+encoded(24), "x") {
		t.Errorf("another signature by the book: %s", by)
	}
}

func TestIdentify(t *testing.T) {
	key, ok := Identify(publicKey)
	same, _ := Identify(secret.Value(strings.Replace(publicKey, "whpk_", "whsec_", 1)))
	if !ok || !bytes.Equal(key, same) || len(key) != 32 {
		t.Errorf("a public key is %x, and as a secret, which anybody could sign with, %x", key, same)
	}
	for _, s := range []secret.Value{"", "whpk_", "whpk_AAAA", publicKey + "A", secret.Value(publicKey[5:]), secret.Value("whsk_" + publicKey[5:])} {
		if _, ok := Identify(s); ok {
			t.Errorf("%s is a key", s)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(publishedSecret, publishedID, "1614265330", publishedSignature, publishedBody)
	f.Add(oldSecret, changeID, "1795435200", newSignature+" "+oldSignature, changeBody)
	f.Add("whsec_", "a.b", "-1", "v1", "")
	f.Fuzz(func(t *testing.T, token, id, timestamp, signatures, body string) {
		received := time.Unix(publishedTimestamp, 0)
		header := http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}, HeaderSignature: {signatures}}
		right := strings.TrimPrefix(reference(token, id+"."+timestamp+"."+body), "v1,")
		err := Verify(header, []byte(body), received, secret.Versions{"another", secret.Value(token)})
		if err == nil && !strings.Contains(signatures, "v1,"+right) {
			t.Error("accepted without the signature")
		}
		if err != nil && fault.Of(err).Kind != fault.Rejected {
			t.Errorf("%v is not a rejection", err)
		}
		if _, ok := Key(secret.Value(token)); !ok || id == "" || len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '.' || r == ',' }) {
			return
		}
		if err := Verify(Sign(secret.Value(token), id, received, []byte(body)), []byte(body), received, secret.Versions{secret.Value(token)}); err != nil {
			t.Errorf("a right signature was refused: %v", err)
		}
	})
}
