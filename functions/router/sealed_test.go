package router_test

import "testing"

func TestWithoutASealerNothingLeavesTheRouter(t *testing.T) {
	t.Parallel()
	w := sealedBy(nil)
	e := event("in confidence", nil)
	err := w.route(t, message(t, e))
	if _, held := w.record(t, e); err == nil || held.Version > 0 || len(w.sent) > 0 {
		t.Errorf("%v, %d sent, a record of version %d", err, len(w.sent), held.Version)
	}
}
