package bench

import (
	_ "embed" // the price list
	"encoding/json"
	"fmt"
)

//go:embed prices.json
var pricesJSON []byte

// price is the price of one thing and where it is published.
type price struct {
	Price  float64 `json:"price"`
	Unit   string  `json:"unit"`
	Source string  `json:"source"`
}

// prices is the price list, the only place with a price in it.
type prices struct {
	Region     string                     `json:"region"`
	Checked    string                     `json:"checked"`
	PerMillion map[string]price           `json:"perMillion"`
	PerGB      map[string]price           `json:"perGB"`
	PerMonth   map[string]price           `json:"perMonth"`
	Latency    map[string]json.RawMessage `json:"latency"`
}

func readPrices() (*prices, error) {
	p := &prices{}
	if err := json.Unmarshal(pricesJSON, p); err != nil {
		return nil, fmt.Errorf("bench: prices.json: %w", err)
	}
	return p, nil
}

// million returns what so many units cost per million messages. A name that is not in the list is a defect of this program.
func (p *prices) million(name string, unitsPerMessage float64) float64 {
	return p.PerMillion[name].Price * unitsPerMessage
}

// gigabytes returns what so many bytes a message cost per million messages.
func (p *prices) gigabytes(name string, bytesPerMessage float64) float64 {
	return p.PerGB[name].Price * bytesPerMessage * 1e6 / (1 << 30)
}

// latency returns what a call to a service takes on AWS, in milliseconds. What is not in the list is a CRM.
func (p *prices) latency(service string) float64 {
	raw, known := p.Latency[service]
	if !known {
		raw = p.Latency["crm"]
	}
	var ms float64
	if json.Unmarshal(raw, &ms) != nil {
		return 0
	}
	return ms
}

// requestCharges returns what a million messages cost in requests: HTTP API, invocations, queues, tables, keys and secrets.
func (p *prices) requestCharges(u usage) float64 {
	return p.million("httpApiRequest", u.Webhooks) + p.million("lambdaRequest", u.Invocations) + p.million("sqsFifoRequest", u.SQS) +
		p.million("dynamoDBWriteUnit", u.WriteUnits) + p.million("dynamoDBReadUnit", u.ReadUnits) +
		p.million("kmsRequest", u.KMS) + p.million("secretsManagerRequest", u.Secrets)
}

// keptMonths is how long an event's records are kept: 35 days.
const keptMonths = 35.0 / 30

// wholeBill adds what time, logs and storage cost. Network to the CRM, custom metrics and support are not in it.
func (p *prices) wholeBill(u usage) float64 {
	seconds := u.GBSeconds
	for service, calls := range u.waits {
		seconds += calls * p.latency(service) / 1000
	}
	return p.requestCharges(u) + p.million("lambdaGBSecondArm", seconds) + p.gigabytes("logsIngested", u.LogBytes) +
		keptMonths*(p.gigabytes("dynamoDBStoredMonth", u.StoredBytes)+p.gigabytes("dynamoDBRecoveryMonth", u.StoredBytes))
}
