package applebusiness

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"signalbox/shared/canonical"
)

// file is what Apple holds of an attachment, encrypted.
type file struct {
	Name        string `json:"name"`
	Type        string `json:"mimeType"`
	Size        size   `json:"size"`
	URL         string `json:"url"` // what Apple calls the file; it is read by another
	Owner       string `json:"owner"`
	Key         string `json:"key"`              // 00 and 32 bytes in hex
	Signature   string `json:"signature-base64"` // or else
	SignatureOf string `json:"signature"`        // in hex
}

// size is a number, or a text of one; what is neither is unknown.
type size int64

// UnmarshalJSON never fails.
func (s *size) UnmarshalJSON(data []byte) error {
	n, _ := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	*s = size(max(n, 0))
	return nil
}

// attachment returns where and how a file is read, and false for one that has no URL: Apple is asked, with a token of the MSP and with what it calls
// the file in headers, where the bytes are, which are encrypted with a key that the message alone has.
// See https://register.apple.com/resources/messages/msp-rest-api/attachments.
func (f *file) attachment(business string) (canonical.Attachment, bool) {
	_, place, ok := strings.Cut(f.URL, "://")
	if !ok {
		return canonical.Attachment{}, false
	}
	signature := f.Signature
	if raw, err := hex.DecodeString(f.SignatureOf); err == nil && signature == "" {
		signature = base64.StdEncoding.EncodeToString(raw)
	}
	access := &canonical.Access{
		Scheme: canonical.AccessJWT,
		Headers: map[string]string{ // the documentation's names, and those of Apple's own programs
			"source-id": business,
			"url":       f.URL, "signature": signature, "owner": f.Owner,
			"MMCS-Url": f.URL, "MMCS-Signature": signature, "MMCS-Owner": f.Owner,
		},
		Member: "download-url",
	}
	if key := strings.ToLower(strings.TrimPrefix(f.Key, "00")); len(key) == 64 {
		access.Cipher, access.Key = canonical.CipherAES256CTR, key
	}
	return canonical.Attachment{
		URL: "https://" + gateway + "/v1/preDownload#" + place, ContentType: f.Type, Name: f.Name, Size: int64(f.Size), Access: access,
	}, true
}
