package hubspot_test

import (
	"log/slog"
	"net/http"
	"testing"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// interrupted carries an activity out in a portal without unique keys, forgets that it was, and carries it out again with the
// reply to the look-up spoiled. The communication is held once, whatever the reply.
func interrupted(t *testing.T, version string, spoiled ...string) (held int, err error) {
	t.Helper()
	b := portal()
	b.Version, b.Capabilities.EngagementUpsert = version, false
	s := simulator.New(simulator.Options{Token: token})
	crm := newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler))
	d := linked(message(1, delivery.LogActivity), s.Add("contacts", nil))
	_, errs := connectortest.Carry(t.Context(), crm, d)
	none(t, errs)
	for _, body := range spoiled {
		s.Spoil(simulator.Fault{Match: "/crm/associations/", Status: http.StatusOK, Body: []byte(body)})
	}
	step, _, err := crm.Next(d, connector.Progress{"activity": {"once": "true"}})
	if err != nil {
		t.Fatal(err)
	}
	step.Intended = true
	err = crm.Do(t.Context(), []connector.Step[hubspot.Request]{step})[0].Err
	communications, _ := s.Records("communications")
	return len(communications), err
}

func TestAnUnknownOutcomeDuplicatesNoActivityInAPortalWithoutUniqueKeys(t *testing.T) {
	for _, version := range []string{hubspot.Version202603, hubspot.Version202609, hubspot.VersionLegacy} {
		if held, err := interrupted(t, version); held != 1 || err != nil {
			t.Errorf("%s: %d communications, %v", version, held, err)
		}
	}
}

func TestALookUpThatIsNotUnderstoodWritesNothing(t *testing.T) {
	replies := map[string]struct {
		body string
		code string
	}{
		"no list":                        {`{"status":"COMPLETE"}`, "hubspot_reply_undecodable"},
		"ids by another name":            {`{"results":[{"from":{"id":"1001"},"to":[{"id":"1002","type":"contact_to_communication"}]}]}`, "hubspot_reply_undecodable"},
		"the list of another version":    {`{"results":[{"id":"1002","type":"contact_to_communication"}],"errors":[]}`, "hubspot_reply_undecodable"},
		"a refusal among what was asked": {`{"results":[],"numErrors":1,"errors":[{"status":"error","category":"MISSING_SCOPES"}]}`, "hubspot_missing_scopes"},
	}
	for name, c := range replies {
		t.Run(name, func(t *testing.T) {
			held, err := interrupted(t, hubspot.Version202603, c.body)
			if f := fault.Of(err); held != 1 || err == nil || f.Code != c.code {
				t.Errorf("%d communications, %v, want %s", held, err, c.code)
			}
		})
	}
}

func TestALookUpReadsEveryPageAndBothFormsOfAnID(t *testing.T) {
	first := `{"results":[{"from":{"id":"1001"},"to":[{"toObjectId":"77","associationTypes":[]}],"paging":{"next":{"after":"1"}}}]}`
	second := `{"results":[{"from":{"id":"1001"},"to":[{"toObjectId":1002,"associationTypes":[]}]}]}`
	if held, err := interrupted(t, hubspot.Version202603, first, second); held != 1 || err != nil {
		t.Errorf("%d communications, %v", held, err)
	}
}
