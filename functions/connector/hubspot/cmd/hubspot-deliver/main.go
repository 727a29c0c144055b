// Command hubspot-deliver carries deliveries from its queue into tenants' HubSpot portals.
package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/hubspot"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/config"
	"signalbox/shared/envelope"
	"signalbox/shared/hosts"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/seal"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "hubspot-deliver")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	configTable, stateTable, reach := env.String("CONFIG_TABLE"), env.String("STATE_TABLE"), hosts.Policy(env.String("CRM_HOSTS"))
	own, deadLetters, personKeys := env.String("QUEUE_URL"), env.String("DEAD_LETTERS_URL"), env.String("PERSON_KEYS_TABLE")
	lease, attempt := env.Seconds("CLAIM_LEASE_SECONDS", 35*time.Second), env.Seconds("CRM_ATTEMPT_SECONDS", 10*time.Second)
	worker := &queue.Worker{
		Stage: "deliver-hubspot", Logger: logger, Meter: meter, Identity: id, Random: rand.Float64,
		Patience: env.Seconds("PATIENCE_SECONDS", 24*time.Hour), BlockedWait: env.Seconds("BLOCKED_WAIT_SECONDS", 15*time.Minute),
		BackoffMin: env.Seconds("BACKOFF_MIN_SECONDS", 2*time.Second), BackoffMax: env.Seconds("BACKOFF_MAX_SECONDS", 15*time.Minute),
		MessageTime: env.Seconds("MESSAGE_SECONDS", 20*time.Second), SoftMargin: env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second),
	}
	clients, err := awsclients.Load(context.Background())
	if err == nil {
		err = env.Err()
	}
	if err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	state := clients.Table(stateTable)
	tenants := tenant.NewDirectory(clients.Table(configTable), seal.New(clients.Keys(""), nil), logger, meter)
	crm := hubspot.New(hubspot.Options{
		Bindings: hubspot.NewTenantBindings(tenants), Client: connector.NewClient(reach), Logger: logger, Meter: meter,
	})
	worker.DeadLetters = clients.Queue(deadLetters)
	ring := clients.Ring("", configTable, personKeys)
	worker.Handler = &envelope.Opening{Opener: ring, Logger: logger, Meter: meter, Handler: connector.New(crm, connector.Options{
		Claims: idempotency.New(state, lease), Store: state, Links: connector.ThreadLinks{Store: state},
		Width: connector.Width, Attempt: attempt, Logger: logger, Meter: meter,
	})}
	lambdainvoke.Start(lambdasqs.Handler(worker, clients.Queue(own), logger))
}
