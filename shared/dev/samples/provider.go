package samples

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the scheme's own
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// providersFile says of each provider how it signs and what its samples become.
const providersFile = "events/providers.json"

// The schemes of signatures that samples are signed by.
const (
	urlAndForm       = "url-and-form"      // base64 of the HMAC-SHA1 of the URL and every field
	standardWebhooks = "standard-webhooks" // https://www.standardwebhooks.com
)

// provider is one of them.
type provider struct {
	Signature string `json:"signature"`
	Header    string `json:"header"` // of a signature over URL and form
	Event     string `json:"event"`  // the kind in the id of the event that a sample becomes, where it is no receipt
	Error     string `json:"error"`  // the field of a callback that holds the error's code
}

func readProviders(root string) (map[string]provider, error) {
	data, err := os.ReadFile(filepath.Join(root, providersFile)) //nolint:gosec // the repository's own
	if err != nil {
		return nil, fmt.Errorf("samples: %w", err)
	}
	var all map[string]provider
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("samples: %s: %w", providersFile, err)
	}
	return all, nil
}

// sign returns the headers of a sample that is sent to a URL.
func (p provider) sign(s Sample, token secret.Value, to string, at time.Time) (http.Header, error) {
	switch p.Signature {
	case urlAndForm:
		return http.Header{
			"Content-Type":                    {"application/x-www-form-urlencoded; charset=utf-8"},
			http.CanonicalHeaderKey(p.Header): {signForm(string(token), to, s.Form)},
		}, nil
	case standardWebhooks:
		header := standardwebhooks.Sign(token, "msg_"+s.ID(), at, s.JSON)
		header.Set("Content-Type", "application/json")
		return header, nil
	default:
		return nil, fmt.Errorf("samples: %s has no signature that is known for the provider %q of %s", providersFile, s.Provider(), s.Name)
	}
}

// signForm returns the signature over a URL and a form: the names in byte order, each with its distinct values in order.
// See https://www.twilio.com/docs/usage/security#validating-requests.
func signForm(token, to string, form [][2]string) string {
	values := map[string][]string{}
	for _, pair := range form {
		values[pair[0]] = append(values[pair[0]], pair[1])
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = mac.Write([]byte(to))
	for _, name := range names {
		slices.Sort(values[name])
		for _, value := range slices.Compact(values[name]) {
			_, _ = mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
