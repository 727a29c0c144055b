package memsecret_test

import (
	"testing"

	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/secret/secrettest"
)

func TestSource(t *testing.T) {
	t.Parallel()
	secrettest.Run(t, func(_ *testing.T, held map[string]secret.Versions) secret.Source { return memsecret.New(held) })
}
