// Package applebusiness reads what Apple Messages for Business sends to a messaging service provider (MSP): messages, replies to what was
// offered (lists, times, quick replies, forms, Apple Pay, sign-in and the business's own extensions), and that a person closed the
// conversation, which withdraws their consent. One account is an MSP; its lines are the businesses it serves.
// See https://register.apple.com/resources/messages/msp-rest-api/.
package applebusiness

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "applebusiness"

// Message is the only kind of webhook: Apple appends it to the URL that it has of an MSP.
const Message = "message"

// gateway is where Apple gives out files. The account's credentials are sent to no other host.
const gateway = "mspgw.push.apple.com"

// Channel is Apple Messages for Business. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Whether and when Apple sends a webhook again it tells MSPs alone, so that none is left to it.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		Responses:  map[string]webhook.Response{Message: {Status: http.StatusOK}},
		MediaHosts: []string{gateway},
	}
}

// Decode implements adapter.Channel: nothing of the body is looked at, let alone inflated, before its sender is known.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return &content{Webhook: w} }

// content is one webhook.
type content struct {
	adapter.Webhook
	read    bool
	payload payload
	err     error
}

// Verify implements adapter.Content. The token does not cover the body, so that what the headers and the body say twice has to be the same.
func (c *content) Verify(secrets secret.Versions) error {
	if err := verify(c.Header.Get("Authorization"), c.ProviderAccount, c.Received, secrets); err != nil {
		return err
	}
	if c.decode() == nil && !c.agrees() { // what cannot be decoded is authentic, and Parse says what is wrong with it
		return rejected("headers_wrong")
	}
	return nil
}

// agrees reports whether headers and body name the same message, person and business.
func (c *content) agrees() bool {
	for _, twice := range [...][2]string{{"Id", c.payload.id}, {"Source-Id", c.payload.source}, {"Destination-Id", c.payload.business}} {
		if header := c.Header.Get(twice[0]); header != "" && twice[1] != "" && !strings.EqualFold(header, twice[1]) {
			return false
		}
	}
	return true
}

// decode reads the body once.
func (c *content) decode() error {
	if c.read {
		return c.err
	}
	c.read = true
	var plain []byte
	if plain, c.err = inflate(c.Body); c.err != nil {
		return c.err
	}
	body, err := jsontext.Parse(plain, maxDepth)
	if err != nil || body[0] != '{' {
		c.err = malformed("json_malformed")
		return c.err
	}
	c.payload.read(body)
	return nil
}

// maxDepth is how deep a body nests at most.
const maxDepth = 100

// inflate returns a body as it was before it was compressed, if it was: by its first bytes, for JSON begins otherwise and dead letters keep no
// headers.
func inflate(body []byte) ([]byte, error) {
	if bytes.HasPrefix(body, []byte("\x1f\ufffd")) { // something on the way took the bytes for text, and they are lost
		return nil, malformed("gzip_as_text")
	}
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, malformed("gzip_malformed")
	}
	plain, err := io.ReadAll(io.LimitReader(reader, adapter.MaxRequest+1))
	switch {
	case len(plain) > adapter.MaxRequest:
		return nil, malformed(adapter.CodeInflated)
	case err != nil:
		return nil, malformed("gzip_malformed")
	default:
		return plain, nil
	}
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }

// rejected is a fault of a stranger's.
func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }
