package cloud_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/kms"
	"signalbox/shared/dev/local/cloud/secretsmanager"
	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
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
	now := strconv.FormatInt(time.Now().Unix(), 10)
	key := func(p string) string { return `{"p":{"S":"` + p + `"},"s":{"S":"s"}}` }
	item := func(p string) string {
		return `{"p":{"S":"` + p + `"},"s":{"S":"s"},"v":{"N":"1"},"n":{"N":"0"},"d":{"B":""}}`
	}
	const isVersion = `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ConditionExpression":"v = :v AND (attribute_not_exists(e) OR e > :now)"`
	version := isVersion + `,"ExpressionAttributeValues":{":v":{"N":"1"},":now":{"N":"` + now + `"}}`
	absent := `,"ReturnValuesOnConditionCheckFailure":"ALL_OLD","ConditionExpression":"attribute_not_exists(p) OR e <= :now","ExpressionAttributeValues":{":now":{"N":"` + now + `"}}`
	transaction := func(second string) string {
		return `{"ClientRequestToken":"x","TransactItems":[{"Put":{"TableName":"state","Item":` + item("t/event/1") + absent + `}},` + second + `]}`
	}
	insert := func(table, p string) string {
		return `{"Statement":"INSERT INTO \"` + table + `\" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?}","ReturnValuesOnConditionCheckFailure":"ALL_OLD",` +
			`"Parameters":[{"S":"` + p + `"},{"S":"s"},{"N":"1"},{"N":"0"},{"B":""},{"B":"eA=="}]}`
	}
	statements := func(all ...string) string { return `{"Statements":[` + strings.Join(all, ",") + `]}` }
	update := strings.NewReplacer("NOW", now).Replace(`{"Statement":"UPDATE \"state\" SET v=? SET n=? SET d=? SET w=? REMOVE e WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)",` +
		`"ReturnValuesOnConditionCheckFailure":"ALL_OLD","Parameters":[{"N":"2"},{"N":"0"},{"B":""},{"B":"eA=="},{"S":"t/event/1"},{"S":"s"},{"N":"1"},{"N":"NOW"}]}`)
	cases := map[string]struct {
		caller, target, body string
		passes               bool
	}{
		"a read of a table it may read":              {"Route.1", "DynamoDB_20120810.GetItem", `{"TableName":"config","Key":` + key("x") + `}`, true},
		"a batch of reads":                           {"Route.1", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"config":{"Keys":[` + key("x") + `]}}}`, true},
		"a batch of reads of another table":          {"Route.1", "DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"spool":{"Keys":[` + key("x") + `]}}}`, false},
		"a read of another table":                    {"Route.1", "DynamoDB_20120810.GetItem", `{"TableName":"state","Key":` + key("x") + `}`, false},
		"a write under an allowed leading key":       {"Route.1", "DynamoDB_20120810.PutItem", `{"TableName":"state","Item":` + item("t/event/1") + `}`, true},
		"a write under another leading key":          {"Route.1", "DynamoDB_20120810.PutItem", `{"TableName":"state","Item":` + item("t/streak/1") + `}`, false},
		"notes, one of them under another key":       {"Route.1", "DynamoDB_20120810.BatchWriteItem", `{"RequestItems":{"state":[{"PutRequest":{"Item":` + item("t/event/1") + `}},{"PutRequest":{"Item":` + item("t/dead/1") + `}}]}}`, false},
		"a transaction of what it may do one by one": {"Route.1", "DynamoDB_20120810.TransactWriteItems", transaction(`{"Put":{"TableName":"state","Item":` + item("t/thread/1") + absent + `}}`), true},
		"a transaction with one thing it may not do": {"Route.1", "DynamoDB_20120810.TransactWriteItems", transaction(`{"ConditionCheck":{"TableName":"state","Key":` + key("t/thread/1") + version + `}}`), false},
		"statements under an allowed leading key":    {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", statements(insert("state", "t/event/1")), true},
		"statements, one of them under another key":  {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", statements(insert("state", "t/event/1"), insert("state", "t/dead/1")), false},
		"a statement without a leading key":          {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", statements(insert("state", "")), false},
		"a statement of another verb":                {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", statements(update), false},
		"a statement about another table":            {"Route.1", "DynamoDB_20120810.BatchExecuteStatement", statements(insert("config", "t/event/1")), false},
		"an action nobody named":                     {"Route.1", "DynamoDB_20120810.DeleteItem", `{"TableName":"state","Key":` + key("t/event/1") + version + `}`, false},
		"a queue whose name fits":                    {"Route.1", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"https://sqs/000000000000/deliver-x.fifo"}`, true},
		"a queue whose name does not":                {"Route.1", "AmazonSQS.SendMessageBatch", `{"QueueUrl":"https://sqs/000000000000/events.fifo"}`, false},
		"a key that it may use through SQS alone":    {"Route.1", "TrentService.Decrypt", `{}`, false},
		"a secret nobody gave it":                    {"Route.1", "secretsmanager.GetSecretValue", `{"SecretId":"x"}`, false},
		"a person with a client":                     {"AKIAPERSON", "DynamoDB_20120810.DeleteItem", `{"TableName":"state","Key":` + key("x") + version + `}`, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			services := cloud.New(cloud.Services{
				DynamoDB: dynamodb.New(map[string]*memstore.Store{"config": memstore.New(), "state": memstore.New(), "spool": memstore.New()}),
				SQS:      sqs.New(memqueue.New(memqueue.Options{Name: "deliver-x.fifo"}), memqueue.New(memqueue.Options{Name: "events.fifo"})),
				KMS:      kms.New(nil), SecretsManager: secretsmanager.New(nil),
			}, nil, &cloud.Counts{})
			h := cloud.Authorize(allowed, func(context.Context, cloud.Refusal) {}, services)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("X-Amz-Target", c.target)
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+c.caller+"/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=0")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			answer := w.Body.String()
			if strings.Contains(answer, "does not understand") || strings.Contains(answer, "AccessDeniedException") == c.passes {
				t.Errorf("answered %d %s", w.Code, answer)
			}
		})
	}
}
