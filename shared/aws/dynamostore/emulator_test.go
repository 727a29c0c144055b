package dynamostore_test

import (
	"context"
	"crypto/rand"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/store"
	"signalbox/shared/store/storetest"
)

// skipped are the sentences that a third-party emulator is known not to keep, with the reason. Run by hand:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
func skipped() map[string]string { return map[string]string{} }

func TestStoreOnAnEmulator(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if endpoint == "" {
		t.Skip("skipped: SIGNALBOX_EMULATOR_URL names no emulator; the second opinion is asked for by hand")
	}
	config := awsconfig.Base("us-east-1", awsconfig.NewHTTPClient())
	config.Credentials = awsconfig.Static("test", "test", "")
	config.BaseEndpoint = aws.String(endpoint)
	client := dynamodb.NewFromConfig(config)
	storetest.RunReal(t, func(t *testing.T) store.Store { return dynamostore.New(client, newTable(t, client)) }, skipped())
}

func newTable(t *testing.T, client *dynamodb.Client) string {
	t.Helper()
	key := func(name string, kind types.KeyType) (types.AttributeDefinition, types.KeySchemaElement) {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS},
			types.KeySchemaElement{AttributeName: aws.String(name), KeyType: kind}
	}
	p, hash := key("p", types.KeyTypeHash)
	s, sort := key("s", types.KeyTypeRange)
	name := "conformance-" + rand.Text()
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{p, s}, KeySchema: []types.KeySchemaElement{hash, sort},
	})
	if err != nil {
		t.Fatalf("CreateTable: %v", err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: aws.String(name)})
	})
	return name
}
