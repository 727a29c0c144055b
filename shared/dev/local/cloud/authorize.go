package cloud

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/dev/local/template"
)

// Authorize lets a function make the calls that its role in the template allows, and refuses all others as AWS does: what
// runs locally has the rights it will have deployed. Callers that are no function of the template (a person with a client)
// may do everything. Of conditions it knows those on dynamodb:LeadingKeys; one with kms:ViaService never allows a direct call. What is
// refused is told to refused.
func Authorize(allowed map[string][]template.Statement, refused func(context.Context, Refusal), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		function := Call{Caller: caller(r.Header.Get("Authorization"))}.Function()
		if statements, isFunction := allowed[function]; isFunction {
			r = r.WithContext(awsjson.WithRights(ctx, func(action, resource, partition string) bool {
				may := slices.ContainsFunc(statements, func(s template.Statement) bool { return allows(s, action, resource, partition) })
				if !may {
					refused(ctx, Refusal{Function: function, Action: action, Resource: resource, Partition: partition})
				}
				return may
			}))
		}
		next.ServeHTTP(w, r)
	})
}

// Refusal is a call that a function made and its role does not allow. It may try another way, and nothing else would tell.
type Refusal struct{ Function, Action, Resource, Partition string }

// allows reports whether a statement allows an action, whose resource and leading key are empty where it has none.
func allows(s template.Statement, action, resource, partition string) bool {
	isResource := func(pattern string) bool { return matches(pattern, resource) }
	if !slices.Contains(s.Action, action) || resource != "" && !slices.ContainsFunc(s.Resource, isResource) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			met := false
			switch {
			case key != "dynamodb:LeadingKeys":
			case operator == "ForAllValues:StringLike": // passes without any, as IAM's does
				met = partition == "" || slices.ContainsFunc(values, func(pattern string) bool { return matches(pattern, partition) })
			case operator == "Null":
				met = slices.Equal(values, []string{"false"}) && partition != ""
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
