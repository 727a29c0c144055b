package memkeys_test

import (
	"testing"

	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/keyring/memkeys"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(*testing.T) keyringtest.Harness {
		k := memkeys.New()
		return keyringtest.Harness{Keys: k, Disable: k.SetDisabled, Rotate: k.Rotate}
	})
}
