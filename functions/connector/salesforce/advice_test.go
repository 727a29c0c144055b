package salesforce_test

import (
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
)

func TestEveryCodeHasAdvice(t *testing.T) {
	connectortest.Advised(t, (*salesforce.CRM)(nil), salesforce.Kind)
}
