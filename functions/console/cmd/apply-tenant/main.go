// Command apply-tenant plans and applies tenant files. It is invoked directly, and only so that its caller waits for the
// answer: a request holds credentials, which must not come to lie in a queue of asynchronous invocations.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"

	"signalbox/functions"
	"signalbox/functions/console"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/hosts"
	"signalbox/shared/seal"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "apply-tenant")
	logger := telemetry.NewLogger(os.Stdout, id)
	table, key, pepper := env.String("CONFIG_TABLE"), env.String("DATA_KEY"), env.String("PEPPER_SECRET")
	deployment := console.Deployment{
		CRMs: env.List("CRMS"), Providers: env.List("CHANNELS"), Schemas: functions.Schemas(), Hosts: hosts.Policy(env.String("CRM_HOSTS")),
	}
	clients, err := awsclients.Load(context.Background())
	if err := errors.Join(err, env.Err()); err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	box := seal.New(clients.Keys(key), rand.Reader)
	peppers := tenant.NewPeppers(clients.Secrets(), pepper)
	tenants, err := console.NewTenants(clients.Table(table), box, peppers, deployment, logger, telemetry.NewMeter(os.Stdout, id))
	if err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	lambdainvoke.StartAsked(tenants.Apply, console.Refuse)
}
