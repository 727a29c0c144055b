package secret

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
)

// RSAKey reads a private key in PEM, PKCS #8 or PKCS #1, and reports whether it is one: the console checks with it what a connector
// signs with.
func RSAKey(encoded Value) (*rsa.PrivateKey, bool) {
	block, _ := pem.Decode([]byte(encoded))
	if block == nil || block.Type != "PRIVATE KEY" && block.Type != "RSA PRIVATE KEY" {
		return nil, false
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, true
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, false
	}
	key, ok := parsed.(*rsa.PrivateKey)
	return key, ok
}
