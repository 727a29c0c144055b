// Package awsstack is a deployed stack as its operators' programs see it: its outputs, its functions to invoke, and what it leaves
// behind when it is deleted. Region, profile and credentials are found where the AWS CLI finds them. It links the SDK's Lambda and
// CloudFormation clients, which no function does: shared/architecture has the rule.
package awsstack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"signalbox/shared/aws/sigv4"
	"signalbox/shared/operations/operate"
)

// Alias is the alias that a function with canaries is invoked through. What is invoked by hand has none.
const Alias = "live"

// What emulators are spoken to with where the environment says nothing else.
const (
	emulatorRegion = "us-east-1"
	emulatorKey    = "test"
)

// Stack is one stack. It is safe for concurrent use.
type Stack struct {
	Name   string
	region string

	config    aws.Config
	functions *lambda.Client
	stacks    *cloudformation.Client
}

// Open returns a stack by its name, without a call to AWS. An endpoint that is not empty is where all services are: a local
// cloud or an emulator. Credentials of a profile are never sent to one.
func Open(ctx context.Context, name, endpoint string) (*Stack, error) {
	var options []func(*config.LoadOptions) error
	if endpoint != "" {
		id := cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), emulatorKey)
		options = append(options,
			config.WithBaseEndpoint(endpoint),
			config.WithDefaultRegion(emulatorRegion),
			config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, sigv4.EmulatorSecret, "")))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the AWS configuration cannot be read: %w", err)
	}
	if loaded.Region == "" {
		return nil, errors.New("no region is configured: set AWS_REGION, or AWS_PROFILE to a profile that has one")
	}
	return &Stack{
		Name: name, region: loaded.Region, config: loaded,
		functions: lambda.NewFromConfig(loaded), stacks: cloudformation.NewFromConfig(loaded),
	}, nil
}

// Invoke invokes a function of the stack, by its name without the stack's, and waits for its answer. An error tells what the
// function said of its failure.
func (s *Stack) Invoke(ctx context.Context, function string, event []byte) ([]byte, error) {
	name := s.Name + "-" + function
	answer, err := s.functions.Invoke(ctx, &lambda.InvokeInput{FunctionName: &name, Payload: event})
	if missing, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return nil, fmt.Errorf("%w %s in %s (%s): check STACK, AWS_REGION and AWS_PROFILE", operate.ErrNoFunction, name, s.region, missing.ErrorMessage())
	}
	if err != nil {
		return nil, s.explain("invoke "+name, "lambda:InvokeFunction", err)
	}
	if answer.FunctionError == nil {
		return answer.Payload, nil
	}
	var told struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(answer.Payload, &told) != nil || told.Message == "" {
		return nil, errors.New("the function failed: its log is a group below /signalbox/" + s.Name)
	}
	return nil, errors.New("the function failed: " + told.Message)
}

// Sign signs a request without a body to the stack's HTTP API with the operator's credentials.
func (s *Stack) Sign(ctx context.Context, r *http.Request) error {
	held, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return s.explain("sign a request", "", err)
	}
	return sigv4.Sign(r, nil, held, s.region, time.Now())
}

// Outputs returns the stack's outputs by name.
func (s *Stack) Outputs(ctx context.Context) (map[string]string, error) {
	stack, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	if stack == nil {
		return nil, fmt.Errorf("there is no stack %s in %s: check STACK, AWS_REGION and AWS_PROFILE", s.Name, s.region)
	}
	outputs := map[string]string{}
	for _, output := range stack.Outputs {
		outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	return outputs, nil
}

// Status returns the state of the stack, or "" when there is none.
func (s *Stack) Status(ctx context.Context) (string, error) {
	stack, err := s.describe(ctx)
	if err != nil || stack == nil {
		return "", err
	}
	return string(stack.StackStatus), nil
}

// describe returns what CloudFormation has of the stack, nil when there is none.
func (s *Stack) describe(ctx context.Context) (*cfntypes.Stack, error) {
	answer, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name})
	switch {
	case isCode(err, "ValidationError"):
		return nil, nil
	case err != nil:
		return nil, s.explain("describe the stack "+s.Name, "cloudformation:DescribeStacks", err)
	case len(answer.Stacks) == 0:
		return nil, nil
	}
	return &answer.Stacks[0], nil
}

// explain adds to an error what an operator can do about it.
func (s *Stack) explain(what, permission string, err error) error {
	refused, ok := errors.AsType[smithy.APIError](err)
	switch {
	case !ok && s.config.BaseEndpoint != nil:
		return fmt.Errorf("%s: does anything listen at ENDPOINT=%s? %w", what, *s.config.BaseEndpoint, err)
	case !ok:
		return fmt.Errorf("%s in %s: is there a network, and are there credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret)? %w", what, s.region, err)
	case refused.ErrorCode() == "AccessDeniedException" || refused.ErrorCode() == "AccessDenied":
		return fmt.Errorf("%s in %s: access denied: the role needs %s: %s", what, s.region, permission, refused.ErrorMessage())
	default:
		return fmt.Errorf("%s in %s: %s: %s", what, s.region, refused.ErrorCode(), refused.ErrorMessage())
	}
}
