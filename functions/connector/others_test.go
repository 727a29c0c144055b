package connector_test

import (
	"errors"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"

	"github.com/google/go-cmp/cmp"
)

func TestOthersAreLookedForByTheNumber(t *testing.T) {
	down := errors.New("down")
	for sentence, c := range map[string]struct {
		person delivery.Person
		err    error
		of     []string
		count  string
		want   error
	}{
		"all who have it, each once, and not the person":    {delivery.Person{Phone: "+14155550001"}, nil, []string{"1", "3"}, "2", nil},
		"nobody, of who has none":                           {delivery.Person{}, nil, nil, "", nil},
		"nobody, where it was another person's":             {delivery.Person{Phone: "+14155550001", Unmatched: true}, nil, nil, "", nil},
		"the step fails if they cannot be, and is not lost": {delivery.Person{Phone: "+14155550001"}, down, []string{"1", "3"}, "2", down},
	} {
		t.Run(sentence, func(t *testing.T) {
			var o *connector.Others
			connector.Outcomes(make([]connector.Step[int], 1), func(w connector.Batch[int]) {
				o = connector.FindOthers(w, func(int) (delivery.Person, string) { return c.person, "2" }, func(delivery.Person) ([]string, error) {
					return []string{"3", "2", "1", "3"}, c.err
				})
			})
			if diff := cmp.Diff(c.of, o.Of(0)); diff != "" || o.Count(0) != c.count || !errors.Is(o.Outcome(0, nil), c.want) {
				t.Error(diff, o.Count(0), o.Outcome(0, nil))
			}
		})
	}
	refused := errors.New("refused")
	if o := (*connector.Others)(nil); o.Of(0) != nil || o.Outcome(0, nil) != nil || !errors.Is(o.Outcome(0, refused), refused) {
		t.Error("without any the outcome is the step's")
	}
}
