package awsstack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/shared/operations/operate"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// What CloudFormation is waited for, and how often it is asked.
const (
	patience = 15 * time.Minute
	poll     = 3 * time.Second
)

// keyDays are the days after which a key is deleted: the most that there are.
const keyDays = 30

// Find returns the identifier that CloudFormation imports a resource by, or "" when there is none: of a key by the address of a
// queue that it encrypts, of the newest bucket by what its name begins with, of everything else by its name.
func (s *Stack) Find(ctx context.Context, kind, name string) (string, error) {
	id, err := s.find(ctx, kind, name)
	switch {
	case isCode(err, "ResourceNotFoundException", "QueueDoesNotExist", "NonExistentQueue"):
		return "", nil
	case err != nil:
		return "", s.explain("look up "+name, permission(err), err)
	}
	return id, nil
}

func (s *Stack) find(ctx context.Context, kind, name string) (string, error) {
	switch kind {
	case operate.KindTable:
		_, err := dynamodb.NewFromConfig(s.config).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		return name, err
	case operate.KindQueue:
		answer, err := sqs.NewFromConfig(s.config).GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.QueueUrl), nil
	case operate.KindSecret:
		answer, err := secretsmanager.NewFromConfig(s.config).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.ARN), nil
	case operate.KindBucket:
		return newestBucket(ctx, s.bucketClient(), name)
	case operate.KindKey:
		const key = sqstypes.QueueAttributeNameKmsMasterKeyId
		answer, err := sqs.NewFromConfig(s.config).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &name, AttributeNames: []sqstypes.QueueAttributeName{key}})
		if err != nil {
			return "", err
		}
		return answer.Attributes[string(key)], nil
	}
	return "", fmt.Errorf("a %s cannot be looked up", kind)
}

// Delete deletes a resource with everything in it, a table's protection from that first; a key in 30 days.
func (s *Stack) Delete(ctx context.Context, r operate.Resource) error {
	if err := s.delete(ctx, r.Kind, r.ID); err != nil {
		return s.explain("delete "+r.LogicalID+" "+r.ID, permission(err), err)
	}
	return nil
}

func (s *Stack) delete(ctx context.Context, kind, id string) error {
	var err error
	switch kind {
	case operate.KindTable:
		err = deleteTable(ctx, dynamodb.NewFromConfig(s.config), id)
	case operate.KindQueue:
		_, err = sqs.NewFromConfig(s.config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &id})
	case operate.KindSecret:
		_, err = secretsmanager.NewFromConfig(s.config).DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	case operate.KindBucket:
		err = deleteBucket(ctx, s.bucketClient(), id)
	case operate.KindKey:
		_, err = kms.NewFromConfig(s.config).ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(keyDays)})
		if isCode(err, "KMSInvalidStateException") {
			return nil // its deletion was scheduled before
		}
	default:
		err = fmt.Errorf("a %s cannot be deleted", kind)
	}
	return err
}

func deleteTable(ctx context.Context, client *dynamodb.Client, table string) error {
	described, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		return err
	}
	if aws.ToBool(described.Table.DeletionProtectionEnabled) {
		if _, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: aws.Bool(false)}); err != nil {
			return err
		}
		waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = poll })
		if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &table}, patience); err != nil {
			return err
		}
	}
	_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &table})
	return err
}

// Import makes the stack of a template that owns resources which are there already. A key that waits for its deletion is taken
// back first. When CloudFormation refuses the import, no stack is left.
func (s *Stack) Import(ctx context.Context, template []byte, resources []operate.Resource) error {
	property := map[string]string{operate.KindTable: "TableName", operate.KindQueue: "QueueUrl", operate.KindSecret: "Id", operate.KindKey: "KeyId", operate.KindBucket: "BucketName"}
	var imported []cfntypes.ResourceToImport
	for _, r := range resources {
		if r.Kind == operate.KindKey {
			if err := keepKey(ctx, kms.NewFromConfig(s.config), r.ID); err != nil {
				return s.explain("take back "+r.LogicalID+" "+r.ID, permission(err), err)
			}
		}
		imported = append(imported, cfntypes.ResourceToImport{
			LogicalResourceId: &r.LogicalID, ResourceType: &r.Kind, ResourceIdentifier: map[string]string{property[r.Kind]: r.ID},
		})
	}
	change := aws.String("recover")
	if _, err := s.stacks.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: &s.Name, ChangeSetName: change, ChangeSetType: cfntypes.ChangeSetTypeImport,
		TemplateBody: aws.String(string(template)), ResourcesToImport: imported,
	}); err != nil {
		return s.explain("plan the import into "+s.Name, permission(err), err)
	}
	if err := s.planned(ctx, change); err != nil {
		// It holds nothing yet; left as it is, it would stand in the way of the next attempt.
		_, left := s.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.Name})
		return errors.Join(err, left)
	}
	if _, err := s.stacks.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{StackName: &s.Name, ChangeSetName: change}); err != nil {
		return s.explain("import into "+s.Name, permission(err), err)
	}
	waiter := cloudformation.NewStackImportCompleteWaiter(s.stacks, func(o *cloudformation.StackImportCompleteWaiterOptions) { o.MinDelay = poll })
	if err := waiter.Wait(ctx, &cloudformation.DescribeStacksInput{StackName: &s.Name}, patience); err != nil {
		return fmt.Errorf("the import into the stack %s did not end well: its events in CloudFormation say why; mend that, delete the stack, which keeps everything, and run this again: %w", s.Name, err)
	}
	return nil
}

// planned waits until the change set can be executed, and returns CloudFormation's reason if it cannot.
func (s *Stack) planned(ctx context.Context, change *string) error {
	wanted := &cloudformation.DescribeChangeSetInput{StackName: &s.Name, ChangeSetName: change}
	waiter := cloudformation.NewChangeSetCreateCompleteWaiter(s.stacks, func(o *cloudformation.ChangeSetCreateCompleteWaiterOptions) { o.MinDelay = poll })
	waited := waiter.Wait(ctx, wanted, patience)
	set, err := s.stacks.DescribeChangeSet(ctx, wanted)
	switch {
	case err != nil:
		return s.explain("look at the planned import into "+s.Name, permission(err), err)
	case waited != nil || set.ExecutionStatus != cfntypes.ExecutionStatusAvailable:
		return fmt.Errorf("CloudFormation refuses the import into the stack %s (%s): %s", s.Name, set.Status, aws.ToString(set.StatusReason))
	}
	return nil
}

// keepKey takes a key back that waits for its deletion.
func keepKey(ctx context.Context, client *kms.Client, key string) error {
	described, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if err != nil || described.KeyMetadata.KeyState != kmstypes.KeyStatePendingDeletion {
		return err
	}
	if _, err := client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &key}); err != nil {
		return err
	}
	_, err = client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &key})
	return err
}

// permission returns the permission that the call which failed needs.
func permission(err error) string {
	call, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(call.Service(), " ", "")) + ":" + call.Operation()
}

// isCode reports whether a service refused with one of some codes. Emulators and older protocols put a namespace before it.
func isCode(err error, codes ...string) bool {
	refused, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	code := refused.ErrorCode()
	return slices.Contains(codes, code[strings.LastIndexByte(code, '.')+1:])
}
