package secretcache_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/secretcache"
	"signalbox/shared/secret"
	"signalbox/shared/secret/secrettest"
)

// skipped are the sentences that a third-party emulator is known not to keep, with the reason. Run by hand:
//
//	SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run Emulator -v ./shared/aws/...
func skipped() map[string]string { return map[string]string{} }

func TestSourceOnAnEmulator(t *testing.T) {
	t.Parallel()
	endpoint := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if endpoint == "" {
		t.Skip("skipped: SIGNALBOX_EMULATOR_URL names no emulator; the second opinion is asked for by hand")
	}
	config := awsconfig.Base("us-east-1", awsconfig.NewHTTPClient())
	config.Credentials = awsconfig.Static("test", "test", "")
	config.BaseEndpoint = aws.String(endpoint)
	client := secretsmanager.NewFromConfig(config)
	secrettest.RunReal(t, func(t *testing.T, held map[string]secret.Versions) secret.Source {
		for name, versions := range held {
			var plain []string
			for _, v := range versions {
				plain = append(plain, string(v))
			}
			encoded, err := json.Marshal(plain)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(string(encoded))})
			if _, exists := errors.AsType[*types.ResourceExistsException](err); err != nil && !exists {
				t.Fatalf("CreateSecret: %v", err)
			}
		}
		return secretcache.New(client, slog.New(slog.DiscardHandler))
	}, skipped())
}
