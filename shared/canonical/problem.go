package canonical

import (
	"slices"
	"strconv"
	"strings"
)

// The codes of problems.
const (
	ProblemRequired = "required" // it is missing, or empty where that says nothing
	ProblemType     = "type"     // it is another kind of JSON value
	ProblemValue    = "value"    // it is none of the values there are
	ProblemFormat   = "format"   // it does not have the form
	ProblemLength   = "length"   // it is too long, or has too many members
	ProblemRange    = "range"    // it is too small or too large

	ProblemDuplicate = "duplicate" // it appears twice
)

// Problem is one reason why a document is no event. It never holds what the document says, for that is personal data.
type Problem struct {
	Path   string `json:"path"` // e.g. $.message.attachments[0].url; names that the sender chose are written *
	Code   string `json:"code"`
	Reason string `json:"reason"` // what is expected, e.g. "must be E.164"
}

// ValidationError lists every problem of an event, in the order of the schema, or of what was to become one.
type ValidationError struct{ Problems []Problem }

// Error names the first ten problems.
func (e *ValidationError) Error() string {
	const most = 10
	text, end := "not valid:", ""
	for i, p := range e.Problems {
		if i == most {
			return text + " and " + strconv.Itoa(len(e.Problems)-most) + " more"
		}
		text += end + " " + p.Path + " " + p.Reason
		end = ";"
	}
	return text
}

// step is one level of a path: a member's name, or an element's index where name is empty.
type step struct {
	name  string
	index int
}

// report collects problems while an event is walked. The path is spelled only when there is one.
type report struct {
	path     []step
	parsed   bool     // the metadata was read from JSON, and need not be looked at again
	written  []string // nor need these members of it
	problems []Problem
}

func (r *report) enter(name string) { r.path = append(r.path, step{name: name}) }
func (r *report) at(index int)      { r.path = append(r.path, step{index: index}) }
func (r *report) leave()            { r.path = r.path[:len(r.path)-1] }

// add reports a problem of the value that the path leads to.
func (r *report) add(code, reason string) {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range r.path {
		if s.name == "" {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		} else {
			b.WriteString("." + s.name)
		}
	}
	r.problems = append(r.problems, Problem{b.String(), code, reason})
}

// addOf reports a problem of a member of the value that the path leads to.
func (r *report) addOf(name, code, reason string) {
	r.enter(name)
	r.add(code, reason)
	r.leave()
}

// merge adds the problems of a walk over what was read, except those that follow from a problem of reading: a member that
// could not be read is missing afterwards.
func (r *report) merge(later []Problem) {
	read := r.problems
	for _, p := range later {
		follows := func(q Problem) bool { return within(p.Path, q.Path) || within(q.Path, p.Path) }
		if !slices.ContainsFunc(read, follows) {
			r.problems = append(r.problems, p)
		}
	}
}

func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
