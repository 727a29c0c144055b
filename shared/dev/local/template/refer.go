package template

import (
	"crypto/sha256"
	"encoding/hex"

	"gopkg.in/yaml.v3"
)

// Types of resource that run locally.
const (
	typeFunction = "AWS::Serverless::Function"
	typeAPI      = "AWS::Serverless::HttpApi"
	typeQueue    = "AWS::SQS::Queue"
	typeTable    = "AWS::DynamoDB::Table"
	typeKey      = "AWS::KMS::Key"
	typeAlias    = "AWS::KMS::Alias"
	typeAlarm    = "AWS::CloudWatch::Alarm"
	typeRole     = "AWS::IAM::Role"
	typeSecret   = "AWS::SecretsManager::Secret" //nolint:gosec // a type, no credential
)

func arn(service, rest string) string {
	return "arn:" + localPartition + ":" + service + ":" + localRegion + ":" + localAccount + ":" + rest
}

// ref returns the value of !Ref name.
func (r *reader) ref(at *yaml.Node, name string) (string, error) {
	switch name {
	case "AWS::Region":
		return localRegion, nil
	case "AWS::AccountId":
		return localAccount, nil
	case "AWS::StackName":
		return localStack, nil
	case "AWS::StackId":
		return arn("cloudformation", "stack/"+localStack+"/local"), nil
	case "AWS::Partition":
		return localPartition, nil
	case "AWS::URLSuffix":
		return localSuffix, nil
	case "AWS::NoValue":
		return "", nil
	}
	if value, found := r.parameters[name]; found {
		return value, nil
	}
	if r.missing[name] {
		return "", refuse(at, "the parameter %s has neither a default nor a local value", name)
	}
	res := r.find(name)
	if res == nil {
		return "", refuse(at, "there is no %s to refer to", name)
	}
	switch res.kind {
	case typeQueue:
		return r.attribute(at, name, "QueueUrl")
	case typeKey:
		return r.attribute(at, name, "KeyId")
	case typeSecret:
		return r.attribute(at, name, "Id")
	case typeFunction, typeTable, typeAlias:
		return r.name(res)
	}
	return name, nil
}

// attribute returns the value of !GetAtt id.name.
func (r *reader) attribute(at *yaml.Node, id, name string) (string, error) {
	res := r.find(id)
	if res == nil {
		return "", refuse(at, "there is no %s to refer to", id)
	}
	physical, err := r.name(res)
	if err != nil {
		return "", err
	}
	switch res.kind + " " + name {
	case typeQueue + " QueueUrl":
		return "https://sqs." + localRegion + "." + localSuffix + "/" + localAccount + "/" + physical, nil
	case typeQueue + " QueueName":
		return physical, nil
	case typeQueue + " Arn":
		return arn("sqs", physical), nil
	case typeTable + " Arn":
		return arn("dynamodb", "table/"+physical), nil
	case typeKey + " KeyId":
		return keyID(id), nil
	case typeKey + " Arn":
		return arn("kms", "key/"+keyID(id)), nil
	case typeSecret + " Id":
		return arn("secretsmanager", "secret:"+physical+"-Local0"), nil
	case typeFunction + " Arn":
		return arn("lambda", "function:"+physical), nil
	}
	return "", refuse(at, "%s of a %s has no local meaning", name, res.kind)
}

// keyID is a UUID that stays the same for a logical id.
func keyID(id string) string {
	sum := sha256.Sum256([]byte(id))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// name returns a resource's physical name: what the template says, or stack and logical id.
func (r *reader) name(res *resource) (string, error) {
	property := map[string]string{
		typeFunction: "FunctionName", typeQueue: "QueueName", typeTable: "TableName", typeSecret: "Name", typeAlias: "AliasName",
	}[res.kind]
	given := member(res.props, property)
	if property == "" || given == nil {
		return localStack + "-" + res.id, nil
	}
	if r.resolving["name of "+res.id] {
		return "", refuse(given, "the name of %s depends on itself", res.id)
	}
	r.resolving["name of "+res.id] = true
	defer delete(r.resolving, "name of "+res.id)
	name, err := r.text(given)
	if err == nil && name == "" {
		name = localStack + "-" + res.id
	}
	return name, err
}

func (r *reader) find(id string) *resource {
	for _, res := range r.resources {
		if res.id == id {
			return res
		}
	}
	return nil
}
