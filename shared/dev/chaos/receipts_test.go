package chaos

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/receipt"
)

// told is a receipt that was sent and acknowledged.
func told(id, state string, n int) Send {
	return Send{Kind: OfReceipt, Message: id, Thread: "a", State: state, Attempt: 1, At: at(n), Answered: at(n), Status: 204}
}

func TestTheCheckerSeesWhatIsWrongWithStatuses(t *testing.T) {
	refused := told("m1", "read", 3)
	refused.Status = 503
	for name, c := range map[string]struct {
		history []Send
		shown   map[string][]string
		want    []string
	}{
		"the furthest is shown":                  {[]Send{told("m1", "delivered", 0), told("m1", "sent", 1)}, map[string][]string{"m1": {"delivered"}}, nil},
		"an earlier one is shown":                {[]Send{told("m1", "delivered", 0), told("m1", "sent", 1)}, map[string][]string{"m1": {"sent"}}, []string{Status + " m1"}},
		"the first of all is shown":              {[]Send{told("m1", "queued", 0), told("m1", "sent", 1)}, map[string][]string{"m1": {"queued"}}, []string{Status + " m1"}},
		"nothing but the first of all was said":  {[]Send{told("m1", "queued", 0)}, map[string][]string{"m1": {"queued"}}, nil},
		"one that nobody said is shown":          {[]Send{told("m1", "delivered", 0)}, map[string][]string{"m1": {"read"}}, []string{Status + " m1"}},
		"none is shown":                          {[]Send{told("m1", "delivered", 0)}, map[string][]string{"m1": {""}}, []string{Status + " m1"}},
		"there is no record":                     {[]Send{told("m1", "delivered", 0)}, nil, []string{Lost + " m1"}},
		"there are two":                          {[]Send{told("m1", "sent", 0)}, map[string][]string{"m1": {"sent", "sent"}}, []string{Twice + " m1"}},
		"there are two, and one is behind":       {[]Send{told("m1", "queued", 0), told("m1", "sent", 0)}, map[string][]string{"m1": {"sent", "queued"}}, []string{Twice + " m1", Status + " m1"}},
		"either end may be shown":                {[]Send{told("m1", "failed", 0), told("m1", "canceled", 1)}, map[string][]string{"m1": {"failed"}}, nil},
		"one that was never taken":               {[]Send{told("m1", "sent", 0), refused}, map[string][]string{"m1": {"sent"}}, []string{Unanswered + " m1 read"}},
		"one that was never taken, and is shown": {[]Send{told("m1", "sent", 0), refused}, map[string][]string{"m1": {"read"}}, []string{Unanswered + " m1 read"}},
		"one that was taken at last":             {[]Send{refused, told("m1", "read", 4)}, map[string][]string{"m1": {"sent"}}, []string{Status + " m1"}},
		"of another message":                     {[]Send{told("m1", "sent", 0), told("m2", "read", 0)}, map[string][]string{"m1": {"read"}, "m2": {"read"}}, []string{Status + " m1"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Outcome{Messages: map[string][]string{"x": nil}, Statuses: map[string]map[string][]string{"x": c.shown}}
			var got []string
			for _, p := range Check(c.history, o).Problems {
				got = append(got, p.Kind+" "+p.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReceiptsArePlannedOutOfOrderAndTwice(t *testing.T) {
	p := NewPlan(1, Size{Duration: 40 * time.Second, Threads: 100, Messages: 10}, nil, nil, nil)
	var behind, together, twice, states int
	for _, o := range p.Outbound {
		states += len(o.Receipts)
		for i, r := range o.Receipts {
			rank, known := receipt.Rank(r.State)
			if !known {
				t.Fatalf("%q is no state", r.State)
			}
			if len(r.Duplicate) > 0 {
				twice++
			}
			for _, earlier := range o.Receipts[:i] {
				if other, _ := receipt.Rank(earlier.State); (other-rank)*int(earlier.After-r.After) < 0 {
					behind++
				}
				if earlier.After == r.After {
					together++
				}
			}
		}
	}
	if len(p.Outbound) != 166 || states < 2*len(p.Outbound)*9/10 || behind < 50 || together < 5 || twice < 50 {
		t.Errorf("%d messages with %d receipts: %d pairs out of order, %d at once, %d twice", len(p.Outbound), states, behind, together, twice)
	}
}
