package template

import (
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func (r *reader) readQueue(t *Template, res *resource) error {
	q := Queue{LogicalID: res.id, Visibility: 30 * time.Second, Retention: 4 * 24 * time.Hour}
	var err error
	if q.Name, err = r.name(res); err != nil {
		return err
	}
	at := &yaml.Node{Line: res.line}
	if q.URL, err = r.attribute(at, res.id, "QueueUrl"); err != nil {
		return err
	}
	if q.ARN, err = r.attribute(at, res.id, "Arn"); err != nil {
		return err
	}
	var scope string
	err = r.read(res.id, res.props, fields{
		"QueueName":                     none, // read above
		"FifoQueue":                     r.intoFlag(&q.FIFO),
		"ContentBasedDeduplication":     r.intoFlag(&q.ContentDeduplication),
		"DeduplicationScope":            r.intoText(&scope),
		"VisibilityTimeout":             r.intoDuration(&q.Visibility, time.Second),
		"MessageRetentionPeriod":        r.intoDuration(&q.Retention, time.Second),
		"DelaySeconds":                  r.intoDuration(&q.Delay, time.Second),
		"ReceiveMessageWaitTimeSeconds": none, // mappings poll for as long as they like
		"RedrivePolicy": func(n *yaml.Node) error {
			return r.read(res.id+".RedrivePolicy", n, fields{
				"deadLetterTargetArn": r.intoText(&q.DeadLettersARN), "maxReceiveCount": r.intoNumber(&q.MaxReceive),
			})
		},
	}.without("FifoThroughputLimit", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "MaximumMessageSize",
		"RedriveAllowPolicy", "Tags"))
	if err != nil {
		return err
	}
	q.GroupScope = scope == "messageGroup"
	if q.FIFO != strings.HasSuffix(q.Name, ".fifo") {
		return &Error{Line: res.line, Reason: res.id + ": the name of a FIFO queue, and of no other, ends in .fifo"}
	}
	t.Queues = append(t.Queues, q)
	return nil
}

func (r *reader) readTable(t *Template, res *resource) error {
	table := Table{LogicalID: res.id}
	var err error
	if table.Name, err = r.name(res); err != nil {
		return err
	}
	if table.ARN, err = r.attribute(&yaml.Node{Line: res.line}, res.id, "Arn"); err != nil {
		return err
	}
	err = r.read(res.id, res.props, fields{
		"TableName": none,
		"KeySchema": func(n *yaml.Node) error { return r.keySchema(&table, n) },
		"TimeToLiveSpecification": func(n *yaml.Node) error {
			return r.read(res.id+".TimeToLiveSpecification", n, fields{"AttributeName": r.intoText(&table.Expiry), "Enabled": none})
		},
	}.without("AttributeDefinitions", "BillingMode", "OnDemandThroughput", "WarmThroughput", "ProvisionedThroughput", "TableClass",
		"PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled", "ContributorInsightsSpecification", "Tags"))
	if err != nil {
		return err
	}
	t.Tables = append(t.Tables, table)
	return nil
}

func (r *reader) keySchema(table *Table, n *yaml.Node) error {
	items, err := r.items(n)
	if err != nil {
		return err
	}
	for _, item := range items {
		var name, kind string
		if err := r.read("KeySchema", item, fields{"AttributeName": r.intoText(&name), "KeyType": r.intoText(&kind)}); err != nil {
			return err
		}
		if kind == "HASH" {
			table.Partition = name
		} else {
			table.Sort = name
		}
	}
	return nil
}

func (r *reader) readKey(t *Template, res *resource) error {
	if err := r.read(res.id, res.props, fields{
		"KeySpec":  r.only(res.id, "SYMMETRIC_DEFAULT"),
		"KeyUsage": r.only(res.id, "ENCRYPT_DECRYPT"),
	}.without("Description", "Enabled", "EnableKeyRotation", "KeyPolicy", "MultiRegion", "PendingWindowInDays", "RotationPeriodInDays",
		"Tags")); err != nil {
		return err
	}
	key := Key{LogicalID: res.id, ID: keyID(res.id)}
	var err error
	if key.ARN, err = r.attribute(&yaml.Node{Line: res.line}, res.id, "Arn"); err != nil {
		return err
	}
	t.Keys = append(t.Keys, key)
	return nil
}

func (r *reader) readAlias(t *Template, res *resource) error {
	var name, target string
	if err := r.read(res.id, res.props, fields{"AliasName": r.intoText(&name), "TargetKeyId": r.intoText(&target)}); err != nil {
		return err
	}
	for i := range t.Keys {
		if t.Keys[i].ID == target || t.Keys[i].ARN == target {
			t.Keys[i].Aliases = append(t.Keys[i].Aliases, strings.TrimPrefix(name, "alias/"))
			return nil
		}
	}
	return &Error{Line: res.line, Reason: res.id + ": the alias names no key of the template"}
}

func (r *reader) readSecret(t *Template, res *resource) error {
	s := Secret{LogicalID: res.id}
	var err error
	if s.Name, err = r.name(res); err != nil {
		return err
	}
	if s.ARN, err = r.attribute(&yaml.Node{Line: res.line}, res.id, "Id"); err != nil {
		return err
	}
	err = r.read(res.id, res.props, fields{
		"Name":         none,
		"SecretString": r.intoText(&s.Value),
		"GenerateSecretString": func(n *yaml.Node) error {
			s.Length = 32
			return r.read(res.id+".GenerateSecretString", n, fields{
				"PasswordLength": r.intoNumber(&s.Length), "ExcludeCharacters": r.intoText(&s.Exclude),
			}.without("ExcludePunctuation", "ExcludeLowercase", "ExcludeNumbers", "ExcludeUppercase", "IncludeSpace", "RequireEachIncludedType"))
		},
	}.without("Description", "KmsKeyId", "ReplicaRegions", "Tags"))
	if err != nil {
		return err
	}
	t.Secrets = append(t.Secrets, s)
	return nil
}
