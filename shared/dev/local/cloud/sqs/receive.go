package sqs

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/queue/memqueue"
)

type receive struct {
	named
	MaxNumberOfMessages         int
	WaitTimeSeconds             int
	VisibilityTimeout           *int
	AttributeNames              []string // the older name of the next
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
}

type received struct {
	MessageId              string //nolint:revive // the protocol's name
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	MD5OfMessageAttributes string               `json:",omitempty"`
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
}

func (s *Server) receive(ctx context.Context, q *memqueue.Queue, r receive) (any, error) {
	request := memqueue.Request{Max: r.MaxNumberOfMessages, Wait: time.Duration(r.WaitTimeSeconds) * time.Second}
	if r.VisibilityTimeout != nil {
		visibility := time.Duration(*r.VisibilityTimeout) * time.Second
		request.Visibility = &visibility
	}
	deliveries, err := q.Receive(ctx, request)
	if err != nil {
		return nil, err
	}
	wanted := slices.Concat(r.AttributeNames, r.MessageSystemAttributeNames)
	type messages struct {
		Messages []received `json:",omitempty"`
	}
	var answer messages
	for _, d := range deliveries {
		body := string(d.Body)
		m := received{MessageId: d.MessageID, ReceiptHandle: d.ReceiptHandle, Body: body, MD5OfBody: md5Hex(body)}
		m.Attributes = systemAttributes(d)
		maps.DeleteFunc(m.Attributes, func(name, _ string) bool { return !hasName(wanted, name) })
		if d.Trace != "" && hasName(r.MessageAttributeNames, inorder.TraceAttribute) {
			m.MessageAttributes = map[string]attribute{inorder.TraceAttribute: {DataType: "String", StringValue: d.Trace}}
			m.MD5OfMessageAttributes = md5Attributes(m.MessageAttributes)
		}
		answer.Messages = append(answer.Messages, m)
	}
	return answer, nil
}

// hasName reports whether a list of attribute names asks for this one.
func hasName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n == name || n == "All" || n == ".*" })
}

// systemAttributes are what SQS says of a message.
func systemAttributes(d memqueue.Delivery) map[string]string {
	attributes := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(d.Attempt),
		"SentTimestamp":                    strconv.FormatInt(d.FirstSent.UnixMilli(), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(d.FirstReceived.UnixMilli(), 10),
		"SenderId":                         awsjson.Account,
		"MessageGroupId":                   d.Group,
		"SequenceNumber":                   d.Sequence,
	}
	if d.Sequence != "" {
		attributes["MessageDeduplicationId"] = d.ID
	}
	if d.MovedFrom != "" {
		attributes["DeadLetterQueueSourceArn"] = ARN(d.MovedFrom)
	}
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	return attributes
}

// LambdaEvent is what Lambda hands a function for the messages of one queue, as JSON. It is written out here, since the codec
// stands on the other side of the wire from the code it serves and shares no type with it.
// See https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.
type LambdaEvent struct {
	Records []lambdaRecord
}

type lambdaRecord struct {
	MessageID         string                     `json:"messageId"`
	ReceiptHandle     string                     `json:"receiptHandle"`
	Body              string                     `json:"body"`
	MD5OfBody         string                     `json:"md5OfBody"`
	MD5OfAttributes   string                     `json:"md5OfMessageAttributes,omitempty"`
	Attributes        map[string]string          `json:"attributes"`
	MessageAttributes map[string]lambdaAttribute `json:"messageAttributes"`
	EventSourceARN    string                     `json:"eventSourceARN"`
	EventSource       string                     `json:"eventSource"`
	AWSRegion         string                     `json:"awsRegion"`
}

type lambdaAttribute struct {
	StringValue string `json:"stringValue"`
	DataType    string `json:"dataType"`
}

// Event returns what Lambda hands a function for deliveries of the queue of this name.
func Event(name string, deliveries []memqueue.Delivery) LambdaEvent {
	event := LambdaEvent{Records: make([]lambdaRecord, len(deliveries))}
	for i, d := range deliveries {
		body := string(d.Body)
		r := lambdaRecord{
			MessageID: d.MessageID, ReceiptHandle: d.ReceiptHandle, Body: body, MD5OfBody: md5Hex(body),
			Attributes: systemAttributes(d), MessageAttributes: map[string]lambdaAttribute{},
			EventSourceARN: ARN(name), EventSource: "aws:sqs", AWSRegion: awsjson.Region,
		}
		if d.Trace != "" {
			r.MessageAttributes[inorder.TraceAttribute] = lambdaAttribute{DataType: "String", StringValue: d.Trace}
			r.MD5OfAttributes = md5Attributes(map[string]attribute{inorder.TraceAttribute: {"String", d.Trace}})
		}
		event.Records[i] = r
	}
	return event
}
