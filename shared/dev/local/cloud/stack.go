package cloud

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
)

// described is CloudFormation's description of one stack.
type described struct {
	XMLName xml.Name `xml:"DescribeStacksResponse"`
	Name    string   `xml:"DescribeStacksResult>Stacks>member>StackName"`
	Status  string   `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
	Outputs []output `xml:"DescribeStacksResult>Stacks>member>Outputs>member"`
}

type output struct{ OutputKey, OutputValue string }

// unknown is its refusal of a stack that is not there.
type unknown struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
}

// Stack returns a CloudFormation that has one stack and describes it by its outputs, which it asks for at every call; nil
// stands for none yet.
// See https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html.
func Stack(name string, outputs func() *map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("Action") != "DescribeStacks" {
			notUnderstood(w, r)
			return
		}
		stack := described{Name: name, Status: "CREATE_COMPLETE"}
		if all := outputs(); all != nil {
			for _, key := range slices.Sorted(maps.Keys(*all)) {
				stack.Outputs = append(stack.Outputs, output{key, (*all)[key]})
			}
		}
		var answer any = stack
		w.Header().Set("Content-Type", "text/xml")
		if asked := r.PostFormValue("StackName"); asked != name {
			answer = unknown{Code: "ValidationError", Message: "Stack with id " + asked + " does not exist"}
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = xml.NewEncoder(w).Encode(answer) // a client that has gone has its own error
	})
}
