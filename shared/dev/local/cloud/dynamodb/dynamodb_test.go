package dynamodb_test

import (
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/store/memstore"
)

func call(t testing.TB, h http.Handler, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	body = strings.ReplaceAll(body, "NOW", strconv.FormatInt(time.Now().Unix(), 10))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(w.Body.Bytes())), 10); w.Header().Get("X-Amz-Crc32") != sum {
		t.Errorf("the checksum is %q, want %s", w.Header().Get("X-Amz-Crc32"), sum)
	}
	return w
}

const (
	whole     = `"Item":{"p":{"S":"p"},"s":{"S":"s"},"v":{"N":"1"},"n":{"N":"0"},"d":{"B":""},"w":{"B":"eA=="}}`
	absent    = `"ConditionExpression":"attribute_not_exists(p) OR e <= :now","ExpressionAttributeValues":{":now":{"N":"NOW"}}`
	old       = `"ReturnValuesOnConditionCheckFailure":"ALL_OLD"`
	statement = `{"Statements":[{"Statement":"INSERT INTO \"t\" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?}","Parameters":[` +
		`{"S":"p"},{"S":"s"},{"N":"1"},{"N":"0"},{"B":""},{"B":"eA=="}],` + old + `}]}`
	changed = `{"Statements":[{"Statement":"UPDATE \"t\" SET v=? SET n=? SET d=? SET w=? REMOVE e WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)",` +
		`"Parameters":[{"N":"2"},{"N":"0"},{"B":""},{"B":"eA=="},{"S":"p"},{"S":"s"},{"N":"1"},{"N":"NOW"}],` + old + `}]}`
	understood = `{"TableName":"t",` + whole + `,` + absent + `,` + old + `}`
)

func TestWhatIsNotUnderstoodIsRefusedByName(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct{ target, body, names string }{
		"another service":          {"AmazonSQS.SendMessage", `{}`, "AmazonSQS.SendMessage"},
		"no target":                {"", `{}`, `""`},
		"another operation":        {"DynamoDB_20120810.Scan", `{}`, "Scan"},
		"another field":            {"DynamoDB_20120810.GetItem", `{"TableName":"t","Key":{},"ProjectionExpression":"p"}`, "ProjectionExpression"},
		"no JSON":                  {"DynamoDB_20120810.GetItem", `x`, "GetItem"},
		"another attribute":        {"DynamoDB_20120810.PutItem", strings.Replace(understood, `"w":`, `"x":`, 1), "x"},
		"another type":             {"DynamoDB_20120810.PutItem", strings.Replace(understood, `{"S":"s"}`, `{"BOOL":true}`, 1), "BOOL"},
		"another type of a key":    {"DynamoDB_20120810.PutItem", strings.Replace(understood, `{"S":"s"}`, `{"N":"1"}`, 1), "s is no string"},
		"another condition":        {"DynamoDB_20120810.PutItem", strings.Replace(understood, "<= :now", "< :now", 1), "e < :now"},
		"a value that is not used": {"DynamoDB_20120810.PutItem", strings.Replace(understood, `{":now"`, `{":v":{"N":"1"},":now"`, 1), ":v"},
		"a version that jumps":     {"DynamoDB_20120810.PutItem", strings.Replace(understood, `"v":{"N":"1"}`, `"v":{"N":"2"}`, 1), "version"},
		"a clock that is off":      {"DynamoDB_20120810.PutItem", strings.Replace(understood, "NOW", "1", 1), ":now"},
		"a condition that does not return what it met": {"DynamoDB_20120810.PutItem", strings.Replace(understood, "ALL_OLD", "NONE", 1), "ALL_OLD"},
		"other return values":                          {"DynamoDB_20120810.PutItem", strings.Replace(understood, `{"TableName"`, `{"ReturnValues":"ALL_OLD","TableName"`, 1), "ReturnValues"},
		"another statement":                            {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(statement, "INSERT", "UPSERT", 1), "UPSERT"},
		"a statement about two tables":                 {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(statement, `\"t\"`, `\"t\".\"i\"`, 1), "INSERT"},
		"a statement with a value in it":               {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(statement, "'n': ?", "'n': 0", 1), "'n': 0"},
		"a parameter too few":                          {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(statement, `{"S":"p"},`, "", 1), "5 parameters"},
		"a statement without a writer":                 {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(statement, "eA==", "", 1), "writer"},
		"a statement's version that jumps":             {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(changed, `{"N":"2"}`, `{"N":"3"}`, 1), "version"},
		"a statement's clock that is off":              {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(changed, "NOW", "1", 1), ":now"},
		"a statement that hides what it meets":         {"DynamoDB_20120810.BatchExecuteStatement", strings.Replace(changed, "ALL_OLD", "NONE", 1), "UPDATE"},
		"no statements":                                {"DynamoDB_20120810.BatchExecuteStatement", `{"Statements":[]}`, "0 statements"},
		"another filter": {
			"DynamoDB_20120810.Query",
			`{"TableName":"t","KeyConditionExpression":"p = :p","FilterExpression":"n > :now","ExpressionAttributeValues":{":p":{"S":"p"},":now":{"N":"NOW"}}}`, "n > :now",
		},
		"a start outside the prefix": {
			"DynamoDB_20120810.Query",
			`{"TableName":"t","KeyConditionExpression":"p = :p AND begins_with(s, :prefix)","FilterExpression":"attribute_not_exists(e) OR e > :now",
			"ExpressionAttributeValues":{":p":{"S":"p"},":prefix":{"S":"m"},":now":{"N":"NOW"}},"ExclusiveStartKey":{"p":{"S":"p"},"s":{"S":"a"}}}`, "outside query boundaries",
		},
		"a transaction without a token": {
			"DynamoDB_20120810.TransactWriteItems",
			`{"TransactItems":[{"Put":` + understood + `},{"Put":` + strings.Replace(understood, `{"S":"s"}`, `{"S":"t"}`, 1) + `}]}`, "ClientRequestToken",
		},
		"a batch that deletes":   {"DynamoDB_20120810.BatchWriteItem", `{"RequestItems":{"t":[{"DeleteRequest":{"Key":{}}}]}}`, "DeleteRequest"},
		"a batch with key twice": {"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"t":{"Keys":[{"p":{"S":"p"},"s":{"S":"s"}},{"p":{"S":"p"},"s":{"S":"s"}}]}}}`, "twice"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var told string
			table := memstore.New()
			h := dynamodb.New(map[string]*memstore.Store{"t": table})
			h.Refused = func(message string) { told = message }
			w := call(t, h, c.target, c.body)
			var failed struct {
				Type    string `json:"__type"`
				Message string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &failed); err != nil {
				t.Fatal(err)
			}
			if w.Code != http.StatusBadRequest || failed.Type != "ValidationException" || !strings.Contains(failed.Message, c.names) || told != failed.Message {
				t.Errorf("the answer is %d %s; told: %q", w.Code, w.Body, told)
			}
			for r := range table.All() {
				t.Errorf("%v was stored", r.Key)
			}
		})
	}
}

func TestWhatIsUnderstoodIsAnsweredAsDynamoDBDoes(t *testing.T) {
	t.Parallel()
	h := dynamodb.New(map[string]*memstore.Store{"t": memstore.New()})
	if w := call(t, h, "DynamoDB_20120810.PutItem", understood); w.Code != http.StatusOK || w.Body.String() != `{}` {
		t.Errorf("a put: %d %s", w.Code, w.Body)
	}
	w := call(t, h, "DynamoDB_20120810.PutItem", understood)
	if body := w.Body.String(); w.Code != http.StatusBadRequest || !strings.Contains(body, "#ConditionalCheckFailedException") || !strings.Contains(body, `"w":{"B":"eA=="}`) {
		t.Errorf("a conflict: %d %s", w.Code, w.Body)
	}
	w = call(t, h, "DynamoDB_20120810.GetItem", `{"TableName":"other","Key":{"p":{"S":"p"},"s":{"S":"s"}}}`)
	if !strings.Contains(w.Body.String(), "#ResourceNotFoundException") {
		t.Errorf("another table: %s", w.Body)
	}
}

func TestATokenIsForOneTransaction(t *testing.T) {
	t.Parallel()
	h := dynamodb.New(map[string]*memstore.Store{"t": memstore.New()})
	transaction := func(second string) string {
		return `{"ClientRequestToken":"one","TransactItems":[{"Put":` + understood + `},{"Put":` + strings.Replace(understood, `{"S":"s"}`, `{"S":"`+second+`"}`, 1) + `}]}`
	}
	for range 2 {
		if w := call(t, h, "DynamoDB_20120810.TransactWriteItems", transaction("t")); w.Code != http.StatusOK {
			t.Errorf("%s", w.Body)
		}
	}
	if w := call(t, h, "DynamoDB_20120810.TransactWriteItems", transaction("u")); !strings.Contains(w.Body.String(), "#IdempotentParameterMismatchException") {
		t.Errorf("%s", w.Body)
	}
	if u := h.Usage(); u.WriteUnits != 4 || u.Calls["TransactWriteItems"] != 3 {
		t.Errorf("the usage is %+v", u)
	}
}

// What strangers send to a port of this machine is answered, not died of.
func FuzzHandler(f *testing.F) {
	for _, operation := range []string{"PutItem", "GetItem", "Query", "TransactWriteItems", "BatchGetItem", "BatchWriteItem", "UpdateItem", "DeleteItem"} {
		f.Add(operation, understood)
		f.Add(operation, `{"TransactItems":[{"Put":null},{}],"RequestItems":{"t":{"Keys":[{}]}},"Limit":-1}`)
	}
	f.Fuzz(func(t *testing.T, operation, body string) {
		h := dynamodb.New(map[string]*memstore.Store{"t": memstore.New()})
		if w := call(t, h, "DynamoDB_20120810."+operation, body); w.Code >= http.StatusInternalServerError {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
