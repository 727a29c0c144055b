package connector_test

import (
	"fmt"
	"slices"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/fault"

	"github.com/google/go-cmp/cmp"
)

func TestAStepThatNobodyConcludesIsNoSuccess(t *testing.T) {
	outcomes := connector.Outcomes(make([]step, 3), func(b connector.Batch[string]) { b.Succeed(1) })
	for i, o := range outcomes {
		if f := fault.Of(o.Err); (i == 1) != (o.Err == nil) || i != 1 && (f.Kind != fault.Retryable || f.Code != connector.CodeAnswers) {
			t.Errorf("step %d: %v", i, o.Err)
		}
	}
}

func TestRows(t *testing.T) {
	refused := fault.New(fault.Permanent, "refused", nil)
	for name, c := range map[string]struct {
		rows  int
		call  func(at []int) ([]int, error)
		calls int
		want  []string // what Fail gets
	}{
		"a row of which even its own call says nothing has failed": {3, func(at []int) ([]int, error) {
			return slices.DeleteFunc(slices.Clone(at), func(i int) bool { return i != 1 }), nil
		}, 2, []string{"1 retryable crm_answers"}},
		"and so has one that is the only one": {1, func(at []int) ([]int, error) { return at, nil }, 1, []string{"0 retryable crm_answers"}},
		"a bad row fails none of its neighbours": {6, func(at []int) ([]int, error) {
			if slices.Contains(at, 1) {
				return nil, refused
			}
			return nil, nil
		}, 7, []string{"1 permanent refused"}},
		"several neither": {6, func(at []int) ([]int, error) {
			if len(at) > 1 || at[0] != 2 {
				return nil, refused
			}
			return nil, nil
		}, 7, []string{"0 permanent refused", "1 permanent refused", "3 permanent refused", "4 permanent refused", "5 permanent refused"}},
		"each has a reason of its own": {5, func(at []int) ([]int, error) {
			if len(at) == 1 {
				return nil, fault.New(fault.Permanent, fmt.Sprint("own", at[0]), nil)
			}
			return nil, refused
		}, 6, []string{"0 permanent own0", "1 permanent own1", "2 permanent own2", "3 permanent own3", "4 permanent own4"}},
		"a call that may be repeated is not repeated here": {
			3, func([]int) ([]int, error) { return nil, fault.New(fault.Retryable, "x", nil) },
			1,
			[]string{"0 retryable x", "1 retryable x", "2 retryable x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls, got := 0, []string(nil)
			connector.Rows{
				Most: 10,
				Call: func(at []int) ([]int, error) {
					calls++
					return c.call(at)
				},
				Fail: func(i int, err error) {
					got = append(got, fmt.Sprint(i, " ", fault.Of(err).Kind, " ", fault.Of(err).Code))
				},
			}.Send(connector.Indices(c.rows))
			if diff := cmp.Diff(c.want, got); diff != "" || calls != c.calls {
				t.Errorf("%d calls, want %d: %s", calls, c.calls, diff)
			}
		})
	}
}
