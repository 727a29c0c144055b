package awsfault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"signalbox/shared/aws/awsfault"
)

func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	const private = "+15557654321"
	replied := func(status int, err error) error {
		response := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
		return &awshttp.ResponseError{RequestID: "r1", ResponseError: &smithyhttp.ResponseError{Response: response, Err: err}}
	}
	api := func(code string) error { return &smithy.GenericAPIError{Code: code, Message: private} }
	for sentence, c := range map[string]struct {
		err                        error
		text                       string
		unknown, throttled, denied bool
	}{
		"a service's error":        {replied(400, api("ValidationException")), "aws: ValidationException, request r1", false, false, false},
		"a server's error":         {replied(500, api("InternalServerError")), "aws: InternalServerError, request r1", true, false, false},
		"throttling":               {replied(400, api("ThrottlingException")), "aws: ThrottlingException, request r1", false, true, false},
		"a 429 with another code":  {replied(429, api("Novel")), "aws: Novel, request r1", false, true, false},
		"refused credentials":      {replied(403, api("InvalidSignatureException")), "aws: InvalidSignatureException, request r1", false, false, true},
		"a reply that is no reply": {replied(200, errors.New(private)), "aws: an answer that was not understood, status 200, request r1", true, false, false},
		"no reply":                 {errors.New("dial " + private), "aws: no answer", true, false, false},
		"a context that ended":     {fmt.Errorf("%s: %w", private, context.DeadlineExceeded), "aws: no answer: context deadline exceeded", true, false, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			e := awsfault.Of(fmt.Errorf("operation: %w", c.err))
			if e.Error() != c.text || e.Unknown() != c.unknown || e.Throttled() != c.throttled || e.Denied() != c.denied {
				t.Errorf("%q, unknown %v, throttled %v, denied %v", e, e.Unknown(), e.Throttled(), e.Denied())
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", e, e), private) {
				t.Error("the message was kept")
			}
			if errors.Is(c.err, context.DeadlineExceeded) != errors.Is(e, context.DeadlineExceeded) {
				t.Error("the end of the context was lost")
			}
			if awsfault.Of(fmt.Errorf("again: %w", e)) != e {
				t.Error("what was kept once is not kept as it is")
			}
		})
	}
}
