package connector

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strconv"

	"github.com/rivo/uniseg"
)

// ResultParts is what the result of a step that wrote an activity says of how many parts it has now, where there are several.
const ResultParts = "parts"

// Part is as much of an activity as one record of a CRM takes.
type Part struct {
	Key    string // external id of its record
	Number int    // from 1
	New    bool   // it was not written before, as far as is known
	Lines  []Line // none of a part that was written before and of which nothing is left
}

// PartKey returns the external id of part n, from 1, of the activity with this external id: 64 lower-case hex digits, frozen by vectors.
func PartKey(key string, n int) string {
	if n <= 1 {
		return key
	}
	sum := sha256.Sum256([]byte("part\x00" + key + "\x00" + strconv.Itoa(n)))
	return hex.EncodeToString(sum[:])
}

// Split returns the parts of an activity: at least one, and at least as many as were written before. The lengths of a part's lines, which
// length returns in what the CRM counts in, are together at most limit; a CRM takes nine tenths of what it keeps, without what it adds
// itself. A line that is longer alone is cut between two characters as people see them, or between two of its details, and goes on in
// one that is Continued. The lines alone decide: who writes them again writes the same parts.
func (a *Activity) Split(limit int, length func(Line) int) []Part {
	parts, used := []Part{{}}, 0
	for _, line := range a.Lines {
		for more := true; more; {
			var piece Line
			piece, line, more = line.cut(limit, length)
			n := length(piece)
			if used > 0 && used+n > limit {
				parts, used = append(parts, Part{}), 0
			}
			last := &parts[len(parts)-1]
			last.Lines, used = append(last.Lines, piece), used+n
		}
	}
	for len(parts) < a.Parts {
		parts = append(parts, Part{})
	}
	for i := range parts {
		parts[i].Key, parts[i].Number, parts[i].New = PartKey(a.Key, i+1), i+1, i >= a.Parts
	}
	return parts
}

// cut returns as much of a line as has at most this length, and the rest if there is more. Of what comes after the text it cuts
// details only.
func (l Line) cut(limit int, length func(Line) int) (piece, rest Line, more bool) {
	if length(l) <= limit {
		return l, Line{}, false
	}
	piece, rest = l, l
	piece.Details, piece.Reactions, piece.Failed = nil, nil, ""
	rest.Text, rest.Ad, rest.Continued = "", "", true
	if l.Text != "" {
		cuts := boundaries(l.Text)
		fit := sort.Search(len(cuts), func(i int) bool {
			piece.Text = l.Text[:cuts[i]]
			return length(piece) > limit
		})
		at := cuts[max(fit-1, 0)]
		piece.Text, rest.Text = l.Text[:at], l.Text[at:]
	}
	if rest.Text != "" {
		return piece, rest, true
	}
	n := sort.Search(len(l.Details), func(i int) bool {
		piece.Details = l.Details[:i+1]
		return length(piece) > limit
	})
	if n == 0 && l.Text == "" { // nothing would get less
		n = min(1, len(l.Details))
	}
	piece.Details, rest.Details = l.Details[:n], l.Details[n:]
	left := rest
	left.Reactions = nil
	if n == 0 && l.Text == "" || left.blank() && len(rest.Reactions) == 0 && rest.Failed == "" {
		return l, Line{}, false
	}
	return piece, rest, true
}

// maxCluster is how many bytes are taken for one character at most: no script needs as many, and a forged one must not fill a record.
const maxCluster = 256

// boundaries returns where text may be cut: after each character as people see it.
func boundaries(text string) []int {
	var cuts []int
	state, at := -1, 0
	for rest := text; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		for i := range cluster {
			if len(cluster) > maxCluster && i > 0 {
				cuts = append(cuts, at+i)
			}
		}
		at += len(cluster)
		cuts = append(cuts, at)
	}
	return cuts
}
