package router

import "testing"

func TestPartsFollowEachOther(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"", "late-2026-11-27"} {
		separator := ""
		if first != "" {
			separator = "-"
		}
		part := first
		for _, number := range []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
			if part = following(first, part); part != first+separator+number {
				t.Errorf("%q, want %s", part, first+separator+number)
			}
		}
	}
}
