package awsstack_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/aws/awsstack"

	"github.com/google/go-cmp/cmp"
)

// emulated returns as an emulator does whose API has one route of two.
func emulated(t *testing.T, asked *[]string, counts string) *awsstack.Stack {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := string(body)
		switch {
		case strings.Contains(text, "Action=DescribeStackResource"):
			_, _ = io.WriteString(w, `<DescribeStackResourceResponse><DescribeStackResourceResult><StackResourceDetail><LogicalResourceId>Gateway</LogicalResourceId>
<PhysicalResourceId>abc123</PhysicalResourceId></StackResourceDetail></DescribeStackResourceResult></DescribeStackResourceResponse>`)
		case strings.Contains(text, "Action=DescribeStacks"):
			_, _ = io.WriteString(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>st</StackName><StackStatus>CREATE_COMPLETE</StackStatus><Outputs>
<member><OutputKey>ApplyTenantFunction</OutputKey><OutputValue>arn:aws:lambda:us-east-1:000000000000:function:st-apply-tenant:live</OutputValue></member>
</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
		case r.Method == http.MethodGet && r.URL.Path == "/v2/apis/abc123/routes":
			_, _ = io.WriteString(w, `{"items":[{"routeKey":"POST /there","routeId":"r1"}]}`)
		case r.Method == http.MethodPost && r.URL.Path == "/v2/apis/abc123/integrations":
			*asked = append(*asked, text)
			_, _ = io.WriteString(w, `{"integrationId":"i7"}`)
		case r.Method == http.MethodPost && r.URL.Path == "/v2/apis/abc123/routes":
			*asked = append(*asked, text)
			_, _ = io.WriteString(w, `{"routeId":"r2"}`)
		case r.Header.Get("X-Amz-Target") == "AmazonSQS.ListQueues":
			*asked = append(*asked, text)
			_, _ = io.WriteString(w, `{"QueueUrls":["http://q/st-a","http://q/st-b"]}`)
		case r.Header.Get("X-Amz-Target") == "AmazonSQS.GetQueueAttributes":
			_, _ = io.WriteString(w, `{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesNotVisible":"`+counts+`"}}`)
		default:
			t.Errorf("asked %s %s %s", r.Method, r.URL, text)
		}
	}))
	t.Cleanup(server.Close)
	stack, err := awsstack.Open(t.Context(), "st", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestAddRoutesAddsWhatIsMissing(t *testing.T) {
	var asked []string
	added, err := emulated(t, &asked, "0").AddRoutes(t.Context(), "Gateway", map[string]string{"POST /there": "there-receive", "POST /new": "new-receive"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST /new"}, added); diff != "" {
		t.Errorf("added (-want +got): %s", diff)
	}
	want := []string{
		`{"integrationMethod":"POST","integrationType":"AWS_PROXY","integrationUri":"arn:aws:lambda:us-east-1:000000000000:function:st-new-receive:live","payloadFormatVersion":"2.0"}`,
		`{"routeKey":"POST /new","target":"integrations/i7"}`,
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got): %s", diff)
	}
}

func TestAStackRestsWhenNoQueueHoldsAMessage(t *testing.T) {
	for count, want := range map[string]bool{"0": true, "1": false} {
		var asked []string
		rests, err := emulated(t, &asked, count).Rests(t.Context())
		if err != nil || rests != want {
			t.Errorf("%s in flight: rests %t, %v", count, rests, err)
		}
		if diff := cmp.Diff([]string{`{"QueueNamePrefix":"st-"}`}, asked); diff != "" {
			t.Errorf("asked (-want +got): %s", diff)
		}
	}
}
