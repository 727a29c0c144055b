package kmskeys_test

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/kmskeys"
	"signalbox/shared/keyring/keyringtest"
)

// skipped are the sentences that a third-party emulator is known not to keep, with the reason. Run by hand:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
func skipped() map[string]string {
	return map[string]string{
		"what is no wrapped key is a permanent fault":    "MiniStack 1.5.33 opens a ciphertext that was cut or changed",
		"what was wrapped before a rotation still opens": "MiniStack 1.5.33 has no RotateKeyOnDemand",
	}
}

func TestKeysOnAnEmulator(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if endpoint == "" {
		t.Skip("skipped: SIGNALBOX_EMULATOR_URL names no emulator; the second opinion is asked for by hand")
	}
	config := awsconfig.Base("us-east-1", awsconfig.NewHTTPClient())
	config.Credentials = awsconfig.Static("test", "test", "")
	config.BaseEndpoint = aws.String(endpoint)
	c := kms.NewFromConfig(config)
	keyringtest.RunReal(t, func(t *testing.T) keyringtest.Harness {
		made, err := c.CreateKey(t.Context(), nil)
		if err != nil {
			t.Fatalf("CreateKey: %v", err)
		}
		id := made.KeyMetadata.KeyId
		hold := func(err error) {
			if err != nil {
				t.Fatalf("the key could not be changed: %v", err)
			}
		}
		return keyringtest.Harness{
			Keys: kmskeys.New(c, aws.ToString(id)),
			Disable: func(disabled bool) {
				if disabled {
					_, err := c.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: id})
					hold(err)
					return
				}
				_, err := c.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: id})
				hold(err)
			},
			Rotate: func() {
				_, err := c.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: id})
				hold(err)
			},
		}
	}, skipped())
}
