package template

import (
	"cmp"
	"strings"
	"time"
)

// Types of resource that run locally, or are counted.
const (
	typeFunction = "AWS::Serverless::Function"
	typeAPI      = "AWS::Serverless::HttpApi"
	typeQueue    = "AWS::SQS::Queue"
	typeTable    = "AWS::DynamoDB::Table"
	typeKey      = "AWS::KMS::Key"
	typeAlias    = "AWS::KMS::Alias"
	typeAlarm    = "AWS::CloudWatch::Alarm"
	typeRole     = "AWS::IAM::Role"
	typeBucket   = "AWS::S3::Bucket"
	typeSecret   = "AWS::SecretsManager::Secret" //nolint:gosec // a type, no credential
)

func arn(service, rest string) string {
	return "arn:aws:" + service + ":" + localRegion + ":" + localAccount + ":" + rest
}

// name gives a resource its physical name, what the template says or stack and logical id, and what can be referred to of it its values.
func (r *reader) name(res *resource) error {
	property := map[string]string{
		typeFunction: "FunctionName", typeQueue: "QueueName", typeTable: "TableName", typeSecret: "Name", typeAlias: "AliasName",
	}[res.Type]
	if err := r.fill(property, member(res.Properties, property), &res.name); err != nil {
		return err
	}
	res.name = cmp.Or(res.name, localStack+"-"+res.id)
	ref, attributes := res.name, map[string]string{"Arn": arn("local", res.id)}
	switch res.Type {
	case typeQueue:
		ref = "https://sqs." + localRegion + ".amazonaws.com/" + localAccount + "/" + res.name
		attributes = map[string]string{"QueueUrl": ref, "QueueName": res.name, "Arn": arn("sqs", res.name)}
	case typeBucket:
		res.name = strings.ToLower(res.name)
		ref, attributes["Arn"] = res.name, "arn:aws:s3:::"+res.name
	case typeTable:
		attributes["Arn"] = arn("dynamodb", "table/"+res.name)
	case typeKey:
		ref = "key-" + res.id
		attributes = map[string]string{"KeyId": ref, "Arn": arn("kms", "key/"+ref)}
	case typeSecret:
		ref = arn("secretsmanager", "secret:"+res.name+"-Local0")
		attributes = map[string]string{"Id": ref}
	case typeFunction:
		attributes["Arn"] = arn("lambda", "function:"+res.name)
	}
	r.values[res.id] = ref
	for attribute, value := range attributes {
		r.values[res.id+"."+attribute] = value
	}
	return nil
}

func (r *reader) readQueue(res *resource) error {
	p := struct {
		FifoQueue                                 bool
		ContentBasedDeduplication                 string `only:"false"`
		DelaySeconds                              string `only:"0"`
		DeduplicationScope                        string
		VisibilityTimeout, MessageRetentionPeriod time.Duration
		RedrivePolicy                             struct {
			DeadLetterTargetArn string
			MaxReceiveCount     int
		}
		ReceiveMessageWaitTimeSeconds unread // mappings poll for as long as they like

		QueueName, FifoThroughputLimit, KmsMasterKeyId, KmsDataKeyReusePeriodSeconds, SqsManagedSseEnabled unread //nolint:revive // CloudFormation's names
		MaximumMessageSize, RedriveAllowPolicy, Tags                                                       unread
	}{VisibilityTimeout: 30 * time.Second, MessageRetentionPeriod: 4 * 24 * time.Hour}
	if err := r.fill(res.id, res.Properties, &p); err != nil {
		return err
	}
	if p.FifoQueue != strings.HasSuffix(res.name, ".fifo") {
		return res.refuse("the name of a FIFO queue, and of no other, ends in .fifo")
	}
	r.template.Queues = append(r.template.Queues, Queue{
		LogicalID: res.id, Name: res.name, ARN: r.values[res.id+".Arn"], FIFO: p.FifoQueue, GroupScope: p.DeduplicationScope == "messageGroup",
		Visibility: p.VisibilityTimeout, Retention: p.MessageRetentionPeriod,
		DeadLettersARN: p.RedrivePolicy.DeadLetterTargetArn, MaxReceive: p.RedrivePolicy.MaxReceiveCount,
	})
	return nil
}

// readTable takes a table for one of the product's, which have one key.
func (r *reader) readTable(res *resource) error {
	r.template.Tables = append(r.template.Tables, Table{LogicalID: res.id, Name: res.name})
	return r.fill(res.id, res.Properties, &struct {
		TableName, KeySchema, TimeToLiveSpecification, AttributeDefinitions, BillingMode, OnDemandThroughput, WarmThroughput unread

		ProvisionedThroughput, TableClass, PointInTimeRecoverySpecification, SSESpecification, DeletionProtectionEnabled unread
		ContributorInsightsSpecification, Tags                                                                           unread
	}{})
}

// readBucket takes a bucket for one of the product's, which has one writer and no versions.
func (r *reader) readBucket(res *resource) error {
	r.template.Buckets = append(r.template.Buckets, res.name)
	return r.fill(res.id, res.Properties, &struct {
		BucketEncryption, PublicAccessBlockConfiguration, OwnershipControls, LifecycleConfiguration, Tags unread
	}{})
}

func (r *reader) readKey(res *resource) error {
	r.template.Keys = append(r.template.Keys, Key{ID: r.values[res.id], ARN: r.values[res.id+".Arn"]})
	return r.fill(res.id, res.Properties, &struct {
		KeySpec                                                                                                          string `only:"SYMMETRIC_DEFAULT"`
		KeyUsage                                                                                                         string `only:"ENCRYPT_DECRYPT"`
		Description, Enabled, EnableKeyRotation, KeyPolicy, MultiRegion, PendingWindowInDays, RotationPeriodInDays, Tags unread
	}{})
}

func (r *reader) readAlias(res *resource) error {
	var p struct{ AliasName, TargetKeyId string } //nolint:revive // CloudFormation's name
	if err := r.fill(res.id, res.Properties, &p); err != nil {
		return err
	}
	for i, key := range r.template.Keys {
		if key.ID == p.TargetKeyId || key.ARN == p.TargetKeyId {
			r.template.Keys[i].Aliases = append(key.Aliases, strings.TrimPrefix(p.AliasName, "alias/"))
			return nil
		}
	}
	return res.refuse("the alias names no key of the template")
}

func (r *reader) readSecret(res *resource) error {
	var p struct {
		GenerateSecretString struct {
			PasswordLength                                                                                                int
			ExcludePunctuation, ExcludeLowercase, ExcludeNumbers, ExcludeUppercase, IncludeSpace, RequireEachIncludedType unread
		}
		Name, Description, KmsKeyId, ReplicaRegions, Tags unread //nolint:revive // CloudFormation's names
	}
	if err := r.fill(res.id, res.Properties, &p); err != nil {
		return err
	}
	r.template.Secrets = append(r.template.Secrets, Secret{
		Name: res.name, ARN: r.values[res.id], Length: cmp.Or(p.GenerateSecretString.PasswordLength, 32),
	})
	return nil
}

func (r *reader) readAlarm(*resource) error {
	r.template.Alarms++
	return nil
}

// readAPI refuses what would change how requests reach functions.
func (r *reader) readAPI(res *resource) error {
	p := struct {
		StageName string `only:"$default"`
		Auth      struct{ EnableIamAuthorizer bool }

		AccessLogSettings, DefaultRouteSettings, RouteSettings, Description, DisableExecuteApiEndpoint unread //nolint:revive // SAM's names
		FailOnWarnings, Name, PropagateTags, Tags, StageVariables                                      unread
	}{}
	err := r.fill(res.id, res.Properties, &p)
	r.hasIAM = p.Auth.EnableIamAuthorizer
	return err
}

// readRole keeps what a role allows.
func (r *reader) readRole(res *resource) error {
	var p struct {
		AssumeRolePolicyDocument, Description, MaxSessionDuration, Path, PermissionsBoundary, RoleName, Tags unread

		Policies []struct {
			PolicyName     unread
			PolicyDocument struct {
				Version   unread
				Statement []Statement
			}
		}
	}
	err := r.fill(res.id, res.Properties, &p)
	for _, policy := range p.Policies {
		r.roles[r.values[res.id+".Arn"]] = append(r.roles[r.values[res.id+".Arn"]], policy.PolicyDocument.Statement...)
	}
	return err
}
