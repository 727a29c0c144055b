package hubspot_test

import (
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
)

func TestEveryCodeHasAdvice(t *testing.T) {
	connectortest.Advised(t, (*hubspot.CRM)(nil), hubspot.Kind, "hubspot_owner_id")
}
