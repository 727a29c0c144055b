package awsstack

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// AddRoutes gives the HTTP API of a logical id the routes that it lacks, and returns which: functions by route key, like
// "POST /v1/accounts/{account}". CloudFormation makes them of the template's events; emulators that do not read the API's body
// leave it without.
func (s *Stack) AddRoutes(ctx context.Context, api string, functions map[string]string) (added []string, err error) {
	described, err := s.stacks.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &s.Name, LogicalResourceId: &api})
	if err != nil {
		return nil, s.explain("look up "+api, "cloudformation:DescribeStackResource", err)
	}
	id := described.StackResourceDetail.PhysicalResourceId
	client := apigatewayv2.NewFromConfig(s.config)
	there, err := client.GetRoutes(ctx, &apigatewayv2.GetRoutesInput{ApiId: id})
	if err != nil {
		return nil, s.explain("list the routes of "+api, "apigateway:GET", err)
	}
	held := map[string]bool{}
	for _, route := range there.Items {
		held[aws.ToString(route.RouteKey)] = true
	}
	for key, function := range functions {
		if held[key] {
			continue
		}
		if err := s.addRoute(ctx, client, id, key, function); err != nil {
			return added, err
		}
		added = append(added, key)
	}
	return added, nil
}

func (s *Stack) addRoute(ctx context.Context, client *apigatewayv2.Client, api *string, key, function string) error {
	arn, err := s.arn(ctx, function)
	if err != nil {
		return err
	}
	integration, err := client.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{
		ApiId: api, IntegrationType: types.IntegrationTypeAwsProxy, IntegrationMethod: aws.String("POST"),
		IntegrationUri: &arn, PayloadFormatVersion: aws.String("2.0"),
	})
	if err != nil {
		return s.explain("integrate "+function, "apigateway:POST", err)
	}
	target := "integrations/" + aws.ToString(integration.IntegrationId)
	if _, err = client.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{ApiId: api, RouteKey: &key, Target: &target}); err != nil {
		return s.explain("add the route "+key, "apigateway:POST", err)
	}
	return nil
}

// arn returns the ARN of a function's alias.
func (s *Stack) arn(ctx context.Context, function string) (string, error) {
	outputs, err := s.Outputs(ctx)
	if err != nil {
		return "", err
	}
	prefix, _, found := strings.Cut(outputs["ApplyTenantFunction"], ":"+s.Name+"-")
	if !found {
		return "", fmt.Errorf("the stack %s has no output ApplyTenantFunction", s.Name)
	}
	return prefix + ":" + s.Name + "-" + function + ":" + Alias, nil
}

// Rests reports whether no queue of the stack holds a message.
func (s *Stack) Rests(ctx context.Context) (bool, error) {
	client := sqs.NewFromConfig(s.config)
	queues, err := client.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: aws.String(s.Name + "-")})
	if err != nil {
		return false, s.explain("list the queues", "sqs:ListQueues", err)
	}
	for _, url := range queues.QueueUrls {
		messages, err := s.Waiting(ctx, url)
		if err != nil || messages > 0 {
			return false, err
		}
	}
	return len(queues.QueueUrls) > 0, nil
}
