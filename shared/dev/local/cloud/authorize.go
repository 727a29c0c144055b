package cloud

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/dev/local/template"
)

// Authorize lets a function make the calls that its role in the template allows, and refuses all others as AWS does: what
// runs locally has the rights it will have deployed. Callers that are no function of the template (a person with a client)
// may do everything. Of conditions it knows those on dynamodb:LeadingKeys; one with kms:ViaService never allows a direct call.
func Authorize(allowed map[string][]template.Statement, logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		function := Call{Caller: caller(r.Header.Get("Authorization"))}.Function()
		statements, isFunction := allowed[function]
		if !isFunction {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the request was not read", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		for _, a := range accesses(r.Header.Get("X-Amz-Target"), body) {
			if !a.allowedBy(statements) {
				logger.ErrorContext(r.Context(), "the function's role does not allow this", slog.String("function", function),
					slog.String("action", a.action), slog.String("resource", a.resource), slog.String("partition", a.partition))
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"__type":"AccessDeniedException","message":"the function's role does not allow `+a.action+`"}`)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// access is one action on one resource; partition is the leading key of a table's item.
type access struct{ action, resource, partition string }

func (a access) allowedBy(statements []template.Statement) bool {
	for _, s := range statements {
		resource := func(pattern string) bool { return matches(pattern, a.resource) }
		if slices.Contains(s.Action, a.action) && (a.resource == "" || slices.ContainsFunc(s.Resource, resource)) && a.meets(s.Condition) {
			return true
		}
	}
	return false
}

func (a access) meets(conditions map[string]map[string][]string) bool {
	for operator, keys := range conditions {
		for key, values := range keys {
			met := false
			switch {
			case key != "dynamodb:LeadingKeys":
			case operator == "ForAllValues:StringLike": // passes without any, as IAM's does
				met = a.partition == "" || slices.ContainsFunc(values, func(pattern string) bool { return matches(pattern, a.partition) })
			case operator == "Null":
				met = slices.Equal(values, []string{"false"}) && a.partition != ""
			}
			if !met {
				return false
			}
		}
	}
	return true
}

// matches compares as IAM does: "*" stands for any characters.
func matches(pattern, value string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	value, ok := strings.CutPrefix(value, first)
	if !ok {
		return false
	}
	for i := range len(value) + 1 {
		if matches(rest, value[i:]) {
			return true
		}
	}
	return false
}

// item is a key or a whole item, of which the partition counts.
type item struct {
	P struct{ S string } `json:"p"`
}

// request is what of a request says what it touches.
type request struct {
	TableName, QueueUrl, SecretId, KeyId string //nolint:revive // AWS's names
	Key, Item                            item
	ExpressionAttributeValues            map[string]struct{ S string }
	RequestItems                         map[string]json.RawMessage
	TransactItems                        []map[string]request
	Statements                           []statement
}

// statement is one of PartiQL, with its values.
type statement struct {
	Statement  string
	Parameters []struct{ S *string }
}

// access returns what a statement needs. Its table is what is quoted first, and its partition the first of its texts.
func (s statement) access() access {
	a := access{action: "dynamodb:PartiQL"}
	verb, _, _ := strings.Cut(s.Statement, " ")
	if verb != "" {
		a.action += verb[:1] + strings.ToLower(verb[1:])
	}
	if parts := strings.Split(s.Statement, `"`); len(parts) > 2 {
		a.resource = table(parts[1])
	}
	for _, p := range s.Parameters {
		if p.S != nil {
			a.partition = *p.S
			break
		}
	}
	return a
}

const account = ":us-east-1:000000000000:"

func table(name string) string { return "arn:aws:dynamodb" + account + "table/" + name }

// accesses returns what a call needs to be allowed.
func accesses(target string, body []byte) []access {
	_, operation, _ := strings.Cut(target, ".")
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil // the service refuses it
	}
	switch {
	case strings.HasPrefix(target, "AmazonSQS."):
		name := r.QueueUrl[strings.LastIndexByte(r.QueueUrl, '/')+1:]
		return []access{{action: "sqs:" + strings.TrimSuffix(operation, "Batch"), resource: "arn:aws:sqs" + account + name}}
	case strings.HasPrefix(target, "TrentService."):
		return []access{{action: "kms:" + operation}} // Decrypt names no key, and there is one
	case strings.HasPrefix(target, "secretsmanager."):
		return []access{{action: "secretsmanager:" + operation, resource: r.SecretId}}
	case strings.HasPrefix(target, "DynamoDB_"):
		return r.items(operation)
	}
	return nil
}

func (r request) items(operation string) []access {
	switch operation {
	case "TransactWriteItems":
		var all []access
		for _, one := range r.TransactItems {
			for kind, change := range one {
				action := "dynamodb:" + kind + "Item"
				if kind == "ConditionCheck" {
					action = "dynamodb:ConditionCheckItem"
				}
				all = append(all, access{action, table(change.TableName), change.Key.P.S + change.Item.P.S})
			}
		}
		return all
	case "BatchExecuteStatement":
		var all []access
		for _, s := range r.Statements {
			all = append(all, s.access())
		}
		return all
	case "BatchGetItem":
		return r.batch(operation, func(raw json.RawMessage) []item {
			var keys struct{ Keys []item }
			_ = json.Unmarshal(raw, &keys) // the service refuses what it cannot read
			return keys.Keys
		})
	case "BatchWriteItem":
		return r.batch(operation, func(raw json.RawMessage) []item {
			var writes []struct{ PutRequest, DeleteRequest struct{ Item, Key item } }
			_ = json.Unmarshal(raw, &writes) // the service refuses what it cannot read
			items := make([]item, len(writes))
			for i, w := range writes {
				items[i].P.S = w.PutRequest.Item.P.S + w.DeleteRequest.Key.P.S
			}
			return items
		})
	default: // one item, or the one partition of a Query
		return []access{{"dynamodb:" + operation, table(r.TableName), r.Key.P.S + r.Item.P.S + r.ExpressionAttributeValues[":p"].S}}
	}
}

func (r request) batch(operation string, items func(json.RawMessage) []item) []access {
	var all []access
	for name, raw := range r.RequestItems {
		for _, i := range items(raw) {
			all = append(all, access{"dynamodb:" + operation, table(name), i.P.S})
		}
	}
	return all
}
