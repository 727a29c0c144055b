package media

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
)

// read reads a reply's body, which is at most so many bytes, compressed and not.
func read(reply *http.Response, most int64) ([]byte, error) {
	large := fault.New(fault.Permanent, CodeLarge, nil)
	if reply.ContentLength > most {
		return nil, large
	}
	from := io.LimitReader(reply.Body, most+1)
	switch strings.ToLower(strings.TrimSpace(reply.Header.Get("Content-Encoding"))) {
	case "", "identity":
	case "gzip", "x-gzip": // some send it to those who did not ask for it
		inflated, err := gzip.NewReader(from)
		if err != nil {
			return nil, fault.New(fault.Permanent, CodeEncoding, nil)
		}
		from = io.LimitReader(inflated, most+1)
	default:
		return nil, fault.New(fault.Permanent, CodeEncoding, nil)
	}
	var body bytes.Buffer
	if reply.ContentLength > 0 {
		body.Grow(int(reply.ContentLength) + bytes.MinRead) // so that it is not copied while it grows
	}
	switch _, err := body.ReadFrom(from); {
	case int64(body.Len()) > most:
		return nil, large
	case err != nil:
		return nil, fault.New(fault.Retryable, CodeUnavailable, nil)
	}
	return body.Bytes(), nil
}

// decrypt returns the file of a body that its provider encrypted, and any other as it is.
func decrypt(body []byte, a canonical.Access) ([]byte, error) {
	if a.Cipher == "" {
		return body, nil
	}
	invalid := fault.New(fault.Permanent, CodeCipher, nil)
	key, err := hex.DecodeString(a.Key)
	if a.Cipher != canonical.CipherAES256CTR || err != nil || len(key) != 32 {
		return nil, invalid
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, invalid
	}
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(body, body) //nolint:gosec // the provider's, who uses a key once
	return body, nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// octets is the type of a file of which its server does not know more.
const octets = "application/octet-stream"

// typeOf returns the type of a file: what its server says, or else what its provider said, or else what it looks like. It is an error if
// files of the type are not kept, or the bytes are of another sort: a page that asks for a password is no picture.
func typeOf(served, told string, body []byte) (string, error) {
	looks := bare(http.DetectContentType(body))
	kind := octets
	for _, said := range []string{bare(served), bare(told), looks} {
		if kind == octets {
			kind = cmp.Or(said, octets)
		}
	}
	if !isKept(kind) || !fits(kind, looks) {
		return "", fault.New(fault.Permanent, CodeType, nil)
	}
	return kind, nil
}

// bare returns a MIME type without its parameters, in lower case; "" if it is none.
func bare(kind string) string {
	parsed, _, err := mime.ParseMediaType(kind)
	if err != nil {
		return ""
	}
	return parsed
}

// isKept reports whether files of a type are kept: pictures, sounds, films and documents that run nothing where they are opened.
func isKept(kind string) bool {
	top, sub, _ := strings.Cut(kind, "/")
	switch top {
	case "image":
		return !strings.HasPrefix(sub, "svg")
	case "audio", "video":
		return true
	case "text":
		return slices.Contains([]string{"plain", "csv", "vcard", "x-vcard", "directory", "calendar", "x-vcalendar"}, sub)
	case "application":
		return slices.Contains([]string{"pdf", "rtf", "msword", "ogg", "vnd.ms-excel", "vnd.ms-powerpoint", "vnd.apple.pkpass"}, sub) ||
			strings.HasPrefix(sub, "vnd.openxmlformats-officedocument.") || strings.HasPrefix(sub, "vnd.oasis.opendocument.")
	default:
		return false
	}
}

// fits reports whether bytes that look like one type may be of another. Of most types nothing can be told by the bytes.
func fits(kind, looks string) bool {
	top := func(kind string) string {
		top, _, _ := strings.Cut(kind, "/")
		return top
	}
	isSound := func(kind string) bool {
		return top(kind) == "audio" || top(kind) == "video" || kind == "application/ogg" // one container holds either
	}
	switch {
	case looks == octets || looks == kind:
		return true
	case looks == "text/html" || looks == "text/xml":
		return false
	case top(kind) == "text":
		return looks == "text/plain"
	case top(kind) == "image":
		return top(looks) == "image"
	case isSound(kind):
		return isSound(looks)
	case looks == "application/zip": // what office programs write
		return strings.HasPrefix(kind, "application/vnd.")
	default:
		return kind == "application/rtf" && looks == "text/plain"
	}
}
