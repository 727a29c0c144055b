package chaos

import (
	"testing"
	"time"

	"signalbox/shared/dev/local/cloud"

	"github.com/google/go-cmp/cmp"
)

func TestOneSeedMakesOnePlan(t *testing.T) {
	size := Size{Kills: 100, Duration: 40 * time.Second, Threads: 20, Messages: 5}
	boundaries := []Boundary{{"Route", "sqs", "SendMessageBatch"}, {"Route", "dynamodb", "PutItem"}, {"Deliver", "crm", "POST /x"}}
	faults := map[string]int{"hubspot": 4, "other": 2}
	held := []string{"Route", "Deliver"}
	first := NewPlan(7, size, boundaries, faults, held)
	boundaries[0], boundaries[2], held[0], held[1] = boundaries[2], boundaries[0], held[1], held[0] // they are found in any order
	again := NewPlan(7, size, boundaries, faults, held)
	if diff := cmp.Diff(first, again); diff != "" || first.Digest() != again.Digest() {
		t.Error("the same seed made another plan:", diff)
	}
	if NewPlan(8, size, boundaries, faults, held).Digest() == first.Digest() {
		t.Error("another seed made the same plan")
	}
}

func TestAPlanKillsAtEveryBoundaryBeforeAndAfter(t *testing.T) {
	boundaries := []Boundary{{"Route", "sqs", "SendMessageBatch"}, {"Route", "dynamodb", "PutItem"}, {"Deliver", "crm", "POST /x"}}
	p := NewPlan(1, Size{Kills: 20, Duration: time.Second, Threads: 2, Messages: 2}, boundaries, nil, nil)
	seen, random := map[string]int{}, 0
	for _, s := range p.Strikes {
		if s.Random {
			random++
			continue
		}
		seen[s.String()]++
	}
	if len(p.Strikes) != 20 || random != 6 || len(seen) != 6 {
		t.Errorf("%d kills, %d of them at any moment, the others %v", len(p.Strikes), random, seen)
	}
}

func TestOutagesAreShortAndWithinTheLoad(t *testing.T) {
	p := NewPlan(1, Size{Kills: 100, Duration: 40 * time.Second, Threads: 2, Messages: 2}, nil, nil, nil)
	if n := len(p.Outages); n < 4 || n > 16 {
		t.Errorf("%d outages in 40 s", n)
	}
	for _, o := range p.Outages {
		if o.At <= 0 || o.At >= 40*time.Second || o.For < 20*time.Millisecond || o.For > 200*time.Millisecond {
			t.Errorf("an outage %+v", o)
		}
	}
}

func TestABoundaryIsTheSameForEveryRecord(t *testing.T) {
	for operation, want := range map[string]string{
		"PutItem":                          "PutItem",
		"PATCH /crm/objects/contacts/1234": "PATCH /crm/objects/contacts/*",
		"POST /crm/objects/2026-03/contacts/batch/upsert":                    "POST /crm/objects/*/contacts/batch/upsert",
		"POST /services/data/v62.0/composite/graph":                          "POST /services/data/v62.0/composite/graph",
		"GET /services/data/v62.0/sobjects/Lead/Msg_Key__c/0a1b2c3d4e5f6a7b": "GET /services/data/v62.0/sobjects/Lead/Msg_Key__c/*",
	} {
		if got := boundaryOf(cloud.Call{Caller: "F.1", Operation: operation}); got.Operation != want || got.Function != "F" {
			t.Errorf("%s is %+v", operation, got)
		}
	}
}
