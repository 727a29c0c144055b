package mapping

import (
	"encoding/json"

	"signalbox/shared/queue/memqueue"
)

// failures returns which messages of a batch the function says it has not done; false is an answer that says nothing, which
// fails the whole batch: not JSON, an empty or unknown identifier.
// See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting.
func failures(answer []byte, batch []memqueue.Delivery) (map[string]bool, bool) {
	var response struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(answer) > 0 && json.Unmarshal(answer, &response) != nil {
		return nil, false
	}
	known := map[string]bool{}
	for _, d := range batch {
		known[d.MessageID] = true
	}
	failed := map[string]bool{}
	for _, f := range response.BatchItemFailures {
		if !known[f.ItemIdentifier] {
			return nil, false
		}
		failed[f.ItemIdentifier] = true
	}
	return failed, true
}
