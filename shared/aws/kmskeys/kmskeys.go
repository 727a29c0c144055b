// Package kmskeys wraps data keys with one KMS key. The binding is the encryption context: authenticated, and in clear text
// in CloudTrail, so it holds opaque words only.
// See https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html.
package kmskeys

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
)

// The codes of the faults of this package.
const (
	CodeThrottled = "keys_throttled" // throttled: KMS asked for patience
	CodeFailed    = "keys_failed"    // retryable: no answer, or a server's error
	CodeUnusable  = "keys_unusable"  // blocked: the key is disabled, waits for its deletion, is not there or not ours to use
	CodeMismatch  = "keys_mismatch"  // permanent: not a wrapped key, or one of another binding
)

// callLimit is how long a call may take with all its attempts, which are the SDK's: both calls are safe to repeat.
const callLimit = 4 * time.Second

// Keys is a keyring.Keys. It is safe for concurrent use.
type Keys struct {
	client *kms.Client
	key    string
}

var _ keyring.Keys = (*Keys)(nil)

// New returns Keys that wrap with key: an id, an ARN or an alias. Open finds the key by what was wrapped, so a process that
// only opens leaves it empty.
func New(client *kms.Client, key string) *Keys { return &Keys{client, key} }

// New makes a data key of 32 bytes.
func (k *Keys) New(ctx context.Context, b keyring.Binding) (plain, wrapped []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	out, err := k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: aws.String(k.key), KeySpec: types.DataKeySpecAes256, EncryptionContext: encryptionContext(b),
	})
	if err != nil {
		return nil, nil, sorted(err)
	}
	return out.Plaintext, out.CiphertextBlob, nil
}

// Open unwraps a data key under the binding it was made for.
func (k *Keys) Open(ctx context.Context, b keyring.Binding, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 {
		return nil, fault.New(fault.Permanent, CodeMismatch, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	out, err := k.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: wrapped, EncryptionContext: encryptionContext(b)})
	if err != nil {
		return nil, sorted(err)
	}
	return out.Plaintext, nil
}

func encryptionContext(b keyring.Binding) map[string]string {
	return map[string]string{"tenant": b.Tenant, "purpose": b.Purpose}
}

// sorted returns the fault of an SDK error.
// See https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors.
func sorted(err error) error {
	e := awsfault.Of(err)
	switch {
	case e.Throttled():
		return fault.New(fault.Throttled, CodeThrottled, e)
	case e.Code == "InvalidCiphertextException", e.Code == "IncorrectKeyException":
		return fault.New(fault.Permanent, CodeMismatch, e)
	case e.Denied(), e.Code == "DisabledException", e.Code == "KMSInvalidStateException", e.Code == "NotFoundException",
		e.Code == "InvalidKeyUsageException", e.Code == "ValidationException":
		return fault.New(fault.Blocked, CodeUnusable, e)
	default:
		return fault.New(fault.Retryable, CodeFailed, e)
	}
}
