package cloud_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/template"
)

func TestAFunctionMayDoWhatItsRoleAllows(t *testing.T) {
	const tables, queues = "arn:aws:dynamodb:us-east-1:000000000000:table/", "arn:aws:sqs:us-east-1:000000000000:"
	allowed := map[string][]template.Statement{"Route": {
		{Action: []string{"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}, Resource: []string{tables + "config"}},
		{
			Action: []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"}, Resource: []string{tables + "state"},
			Condition: map[string]map[string][]string{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": {"*/event/*", "*/thread/*"}}},
		},
		{
			Action: []string{"dynamodb:PartiQLInsert"}, Resource: []string{tables + "state"},
			Condition: map[string]map[string][]string{
				"ForAllValues:StringLike": {"dynamodb:LeadingKeys": {"*/event/*"}}, "Null": {"dynamodb:LeadingKeys": {"false"}},
			},
		},
		{Action: []string{"sqs:SendMessage"}, Resource: []string{queues + "deliver-*"}},
		{
			Action: []string{"kms:Decrypt"}, Resource: []string{"arn:aws:kms:us-east-1:000000000000:key/1"},
			Condition: map[string]map[string][]string{"StringLike": {"kms:ViaService": {"sqs.*"}}},
		},
	}}
	cases := map[string]struct {
		caller, target, body string
		passes               bool
	}{
		"a read of a table it may read":              {"Route.1", "DynamoDB_20120810.GetItem", `{"TableName":"config","Key":{"p":{"S":"x"}}}`, true},
		"a batch of reads":                           {"Route.1", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"config":{"Keys":[{"p":{"S":"x"}}]}}}`, true},
		"a batch that also reads another table":      {"Route.1", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"config":{"Keys":[{"p":{"S":"x"}}]},"spool":{"Keys":[{"p":{"S":"x"}}]}}}`, false},
		"a read of another table":                    {"Route.1", "DynamoDB_20120810.GetItem", `{"TableName":"state","Key":{"p":{"S":"x"}}}`, false},
		"a write under an allowed leading key":       {"Route.1", "DynamoDB_20120810.PutItem", `{"TableName":"state","Item":{"p":{"S":"t/event/1"}}}`, true},
		"a write under another leading key":          {"Route.1", "DynamoDB_20120810.PutItem", `{"TableName":"state","Item":{"p":{"S":"t/streak/1"}}}`, false},
		"notes, one of them under another key":       {"Route.1", "DynamoDB_20120810.BatchWriteItem", `{"RequestItems":{"state":[{"PutRequest":{"Item":{"p":{"S":"t/event/1"}}}},{"PutRequest":{"Item":{"p":{"S":"t/dead/1"}}}}]}}`, false},
		"a transaction of what it may do one by one": {"Route.1", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"state","Item":{"p":{"S":"t/event/1"}}}},{"Update":{"TableName":"state","Key":{"p":{"S":"t/thread/1"}}}}]}`, true},
		"a transaction with one thing it may not do": {"Route.1", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"state","Item":{"p":{"S":"t/event/1"}}}},{"ConditionCheck":{"TableName":"state","Key":{"p":{"S":"t/thread/1"}}}}]}`, false},
		"statements under an allowed leading key":    {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO \"state\" VALUE {'p': ?}","Parameters":[{"S":"t/event/1"}]}]}`, true},
		"statements, one of them under another key":  {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO \"state\" VALUE {'p': ?}","Parameters":[{"S":"t/event/1"}]},{"Statement":"INSERT INTO \"state\" VALUE {'p': ?}","Parameters":[{"S":"t/dead/1"}]}]}`, false},
		"a statement without a leading key":          {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO \"state\" VALUE {}","Parameters":[]}]}`, false},
		"a statement of another verb":                {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[{"Statement":"UPDATE \"state\" SET v=? WHERE p=?","Parameters":[{"N":"1"},{"S":"t/event/1"}]}]}`, false},
		"a statement about another table":            {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO \"config\" VALUE {'p': ?}","Parameters":[{"S":"t/event/1"}]}]}`, false},
		"an action nobody named":                     {"Route.1", "DynamoDB_20120810.DeleteItem", `{"TableName":"state","Key":{"p":{"S":"t/event/1"}}}`, false},
		"a queue whose name fits":                    {"Route.1", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"https://sqs/000000000000/deliver-x.fifo"}`, true},
		"a queue whose name does not":                {"Route.1", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"https://sqs/000000000000/events.fifo"}`, false},
		"a key that it may use through SQS alone":    {"Route.1", "TrentService.Decrypt", `{}`, false},
		"a secret nobody gave it":                    {"Route.1", "secretsmanager.GetSecretValue", `{"SecretId":"x"}`, false},
		"a person with a client":                     {"AKIAPERSON", "DynamoDB_20120810.DeleteItem", `{"TableName":"state"}`, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			passed := false
			h := cloud.Authorize(allowed, slog.New(slog.DiscardHandler), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("X-Amz-Target", c.target)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.caller+"/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if refused := strings.Contains(w.Body.String(), "AccessDeniedException"); passed != c.passes || refused == c.passes {
				t.Errorf("passed %t, answered %d %s", passed, w.Code, w.Body)
			}
		})
	}
}
