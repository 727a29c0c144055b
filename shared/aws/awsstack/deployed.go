package awsstack

import (
	"context"
	"errors"
	"strconv"

	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/tenant"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Parameters returns the values that the stack was deployed with, nil when nothing is deployed: there is no stack, or none but a
// planned one.
func (s *Stack) Parameters(ctx context.Context) (map[string]string, error) {
	stack, err := s.describe(ctx)
	if err != nil || stack == nil || stack.StackStatus == cfntypes.StackStatusReviewInProgress {
		return nil, err
	}
	values := map[string]string{}
	for _, p := range stack.Parameters {
		values[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	return values, nil
}

// Tenants returns the records of the stack's configuration table.
func (s *Stack) Tenants(ctx context.Context) (tenant.Listing, error) {
	outputs, err := s.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	if outputs["ConfigTable"] == "" {
		return nil, errors.New("the stack " + s.Name + " has no output ConfigTable: was its deployment finished?")
	}
	return dynamostore.New(dynamodb.NewFromConfig(s.config), outputs["ConfigTable"]), nil
}

// Waiting returns how many messages a queue holds, as SQS estimates it: those in flight and delayed with them.
func (s *Stack) Waiting(ctx context.Context, queue string) (messages int, err error) {
	answer, err := sqs.NewFromConfig(s.config).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}})
	if err != nil {
		return 0, s.explain("look into "+queue, "sqs:GetQueueAttributes", err)
	}
	for _, count := range answer.Attributes {
		n, err := strconv.Atoi(count)
		if err != nil {
			return 0, errors.New("SQS counts " + count + " messages in " + queue)
		}
		messages += n
	}
	return messages, nil
}
