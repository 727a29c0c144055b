package eventrecord

import (
	"hash/adler32"
	"testing"
)

// TestTheDictionaryIsFrozen: records name what they were compressed with by this number, and are read with nothing else.
func TestTheDictionaryIsFrozen(t *testing.T) {
	if got, want := adler32.Checksum(dictionary), uint32(0x2ce9759d); got != want {
		t.Errorf("the dictionary's checksum is %#x, not %#x: records that are stored cannot be read", got, want)
	}
}
