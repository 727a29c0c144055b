package memkeys_test

import (
	"testing"

	"signalbox/shared/keys/keystest"
	"signalbox/shared/keys/memkeys"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	keystest.Run(t, func(*testing.T) keystest.Harness {
		k := memkeys.New()
		return keystest.Harness{Keys: k, Disable: k.SetDisabled, Rotate: k.Rotate}
	})
}
