package hubspot

import (
	"testing"

	"signalbox/functions/connector"
)

// TestFilesOfOneNameAreTwo: whichever way HubSpot tells duplicates, a file is not taken for another of its name, and is for itself.
func TestFilesOfOneNameAreTwo(t *testing.T) {
	const one, two = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
	for want, f := range map[string]*connector.File{
		"image-01234567.jpeg": {Name: "image.jpeg", Key: one}, "image-12345678.jpeg": {Name: "image.jpeg", Key: two}, "file-1-01234567": {Name: "file-1", Key: one},
		"_a_.b_-01234567.c": {Name: `"a".b\.c`, Key: one},
	} {
		if got := savedName(f); got != want {
			t.Errorf("%q is saved as %q, want %q", f.Name, got, want)
		}
	}
}
