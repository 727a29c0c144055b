package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// crm is what has to be known of one CRM to break it and to look into it.
type crm struct {
	people []string         // the objects of which there is one record a person
	status string           // the property of a message's record that shows how far it got
	reply  reply            // where a person's record shows that they replied
	faults []map[string]any // what its simulator's /_simulator/faults takes, without a count
}

// reply is an object of people and the properties of theirs that show a reply.
type reply struct{ object, stop, at string }

// crms is the table of the CRMs. One that is not in it gets no faults, and only its records of messages are looked at.
func crms() map[string]crm {
	return map[string]crm{
		"hubspot": {
			people: []string{"contacts", "leads"},
			status: "msg_status",
			reply:  reply{"contacts", "msg_stop_automation", "msg_last_reply_at"},
			faults: []map[string]any{
				{"match": "/crm", "status": 429, "headers": map[string]string{"Retry-After": "1"}, "body": map[string]string{
					"status": "error", "category": "RATE_LIMITS", "policyName": "SECONDLY",
				}},
				{"match": "/crm", "status": 500},
				{"match": "/crm", "status": 502, "body": "<html>Bad gateway</html>"},
				{"match": "/crm", "status": 423},
				{"match": "/crm", "commitThenTimeout": true},
				{"match": "/crm", "delayMs": 200},
			},
		},
		"salesforce": {
			people: []string{"Lead"},
			status: "Status__c",
			reply:  reply{"Lead", "Msg_Stop_Automation__c", "Msg_Last_Reply_At__c"},
			faults: []map[string]any{
				{"match": "/services/data", "status": 500},
				{"match": "/services/data", "status": 503, "body": []map[string]string{{"errorCode": "SERVER_UNAVAILABLE", "message": "later"}}},
				{"match": "/services/data", "status": 400, "body": []map[string]string{{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "locked"}}},
				{"match": "/services/data", "commitThenTimeout": true},
				{"match": "/services/data", "delayMs": 200},
			},
		},
	}
}

// spoil makes the next requests to a CRM fail.
func spoil(ctx context.Context, base string, fault map[string]any, count int) error {
	body := map[string]any{"count": count}
	maps.Copy(body, fault)
	return control(ctx, http.MethodPost, base+"/_simulator/faults", body)
}

func control(ctx context.Context, method, address string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("chaos: %s %s was answered %s", method, address, response.Status)
	}
	return nil
}
