package router_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/tenant"
)

// TestAMessageThatArrivesAfterAllIsShownSo: what failed is, whatever the order in which the receipts come, are told to the router, and are
// told again. What arrived fails no more.
func TestAMessageThatArrivesAfterAllIsShownSo(t *testing.T) {
	t.Parallel()
	for sentence, batches := range map[string][][]string{
		"one after the other":         {{"failed"}, {"delivered"}},
		"read":                        {{"failed"}, {"read"}},
		"delivered, and then read":    {{"failed"}, {"delivered"}, {"read"}},
		"together":                    {{"failed", "delivered"}},
		"backwards":                   {{"delivered"}, {"failed"}},
		"with copies":                 {{"expired"}, {"delivered"}, {"expired"}, {"delivered"}},
		"called off, and then it was": {{"canceled"}, {"failed", "delivered"}},
	} {
		for _, late := range []bool{false, true} { // the router learns of all of it at the end, in either order, and twice
			for _, reverse := range []bool{false, true} {
				t.Run(fmt.Sprintln(sentence, late, reverse), func(t *testing.T) {
					t.Parallel()
					w := shownBy(nil)
					w.routeAll(t, wrote(1, "SM1"))
					w.taken(t)
					var waiting []queue.Message
					for _, states := range batches {
						var events []canonical.Event
						for _, state := range states {
							events = append(events, ofOurs("SM1", state))
						}
						for _, err := range w.receive(t, events...) {
							if err != nil {
								t.Fatal(err)
							}
						}
						_, _, told, _ := w.taken(t)
						if waiting = append(waiting, told...); !late {
							w.follow(t, told)
						}
					}
					if reverse {
						slices.Reverse(waiting)
					}
					w.follow(t, waiting)
					if failed, state := w.failures(t, wrote(1, "SM1").ThreadID); len(failed) > 0 || state.Receipt == "failed" || state.Receipt == "" {
						t.Errorf("failed %v, the conversation's receipt is %q", failed, state.Receipt)
					}
				})
			}
		}
	}
}

// dead is that the address of message sid takes none, of minute n.
func dead(n int, sid string) canonical.Event {
	e := ofOurs(sid, "failed")
	e.Receipt.Error, e.Receipt.Reason, e.Timestamp, e.Receipt.At = "30005", receipt.InvalidNumber, minute(n), minute(n)
	e.ThreadID = event("", nil).ThreadID
	return e
}

// TestAnAddressThatTakesNoMessagesIsTold: once, of whoever a CRM holds, whether anybody told of the message or not, and again after
// something came from it.
func TestAnAddressThatTakesNoMessagesIsTold(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*tenant.Timeline){
		"by day": nil, "by message": func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage },
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintln(sentence, known), func(t *testing.T) {
				t.Parallel()
				w := shownBy(change)
				if known {
					w.link(t, event("", nil))
				}
				w.routeAll(t, wrote(1, "SM1"))
				w.taken(t)
				tasks := func(e canonical.Event) (subjects []string) {
					for range 2 { // a copy
						for _, err := range w.receive(t, e) {
							if err != nil {
								t.Fatal(err)
							}
						}
						_, _, events, _ := w.taken(t)
						w.follow(t, append(events, events...))
					}
					_, _, _, deliveries := w.taken(t)
					seen := map[string]bool{}
					for _, d := range deliveries {
						for _, a := range d.Actions {
							if a.Kind == delivery.Notify && !seen[a.Value["about"]] {
								seen[a.Value["about"]] = true
								if a.Value[delivery.OfWhom] != delivery.Held || !strings.Contains(a.Value["text"], "(30005)") || d.Person.Links["contacts"] != "501" {
									t.Errorf("%+v by %+v", a, d)
								}
								subjects = append(subjects, a.Value["subject"])
							}
						}
					}
					return subjects
				}
				want := []string{"Messages do not reach this person by sms"}
				if !known {
					want = nil
				}
				history := dead(10, "SM6")
				history.Flags.Historical = true
				if got := tasks(history); len(got) > 0 {
					t.Errorf("of a history it is told %q", got)
				}
				w.routeAll(t, history)
				if head := w.head(t, event("", nil)); len(head.Dead) > 0 {
					t.Errorf("of a history the head says %+v", head.Dead)
				}
				w.taken(t)
				for i, e := range []canonical.Event{dead(31, "SM1"), dead(32, "SM7"), dead(33, "SM8")} {
					if got := tasks(e); i == 0 && !slices.Equal(got, want) || i > 0 && len(got) > 0 {
						t.Errorf("verdict %d: told %q, want %q once", i, got, want)
					}
				}
				if head := w.head(t, event("", nil)); len(head.Dead) != 1 {
					t.Errorf("the head says %+v", head.Dead)
				}
				w.routeAll(t, said(20, "it came late"))
				if head := w.head(t, event("", nil)); len(head.Dead) != 1 {
					t.Error("what was said before took it back")
				}
				w.routeAll(t, said(40, "I am here"))
				if head := w.head(t, event("", nil)); len(head.Dead) != 0 {
					t.Errorf("the head says %+v", head.Dead)
				}
				w.taken(t)
				if got := tasks(dead(50, "SM9")); !slices.Equal(got, want) {
					t.Errorf("told %q, want %q", got, want)
				}
			})
		}
	}
}

// TestAMessageThatArrivesAfterAllRevivesItsAddress, if that was later than the verdict.
func TestAMessageThatArrivesAfterAllRevivesItsAddress(t *testing.T) {
	t.Parallel()
	w := shownBy(nil)
	w.routeAll(t, wrote(1, "SM1"))
	arrived := func(n int) canonical.Event {
		e := ofOurs("SM1", "delivered")
		e.Timestamp, e.Receipt.At, e.ThreadID = minute(n), minute(n), event("", nil).ThreadID
		return e
	}
	for i, e := range []canonical.Event{dead(31, "SM1"), arrived(30), arrived(40)} {
		w.routeAll(t, e)
		if head := w.head(t, event("", nil)); len(head.Dead) != []int{1, 1, 0}[i] {
			t.Errorf("after event %d the head says %+v", i, head.Dead)
		}
	}
}
