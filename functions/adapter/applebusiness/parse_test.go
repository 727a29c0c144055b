package applebusiness

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"signalbox/shared/canonical"
)

// TestPaymentsAndSignInsLeaveNothingPersonal looks into all that is handed on, with what the tenant's policy may leave out.
func TestPaymentsAndSignInsLeaveNothingPersonal(t *testing.T) {
	for _, name := range []string{"apple-pay", "authentication", "authentication-of-unknown-outcome"} {
		parsed, err := received(t, name, nil).Parse()
		if err != nil || len(parsed) != 1 {
			t.Fatal(parsed, err)
		}
		handed := fmt.Sprintf("%+v %+v %+v %s", parsed[0].Event.Message, parsed[0].Event.Message.Postback, parsed[0].Vendor, parsed[0].Event.Metadata[Provider])
		for _, word := range []string{"NOT-TO-BE-KEPT", "Visa", "Nowhere", "ZZ1", "customers.example", "5552014001", "Ivy Hartwell"} {
			if strings.Contains(handed, word) {
				t.Errorf("%s: %s is in %s", name, word, handed)
			}
		}
	}
}

// TestAnAttachmentIsReadByItsAccess decrypts the vector with the key of the event, and finds the key nowhere else.
func TestAnAttachmentIsReadByItsAccess(t *testing.T) {
	v := readVectors(t)
	f := file{Name: "photo.jpg", URL: "https://p01-content.icloud.com/x", Key: strings.ToUpper(v.KeyField), Owner: "o", SignatureOf: "010203"}
	a, ok := f.attachment("business")
	if !ok || a.Access.Cipher != canonical.CipherAES256CTR || a.Access.Headers["signature"] != "AQID" {
		t.Fatalf("%v %+v", ok, a)
	}
	key, err := hex.DecodeString(a.Access.Key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := hex.DecodeString(v.Encrypted)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(plain, plain)
	if string(plain) != v.Plain {
		t.Errorf("it says %q", plain)
	}
	parsed, err := received(t, "text-with-attachment", nil).Parse()
	if err != nil {
		t.Fatal(err)
	}
	parsed[0].Event.Message.Attachments[0].Access = nil
	rest := fmt.Sprintf("%+v %+v", parsed[0].Event.Message, parsed[0].Vendor)
	if strings.Contains(rest, key64) {
		t.Errorf("the key is in %s", rest)
	}
}

const key64 = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
