package operate

import (
	"cmp"
	"context"
	"io"
	"strings"

	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Stack is a deployed or a local stack.
type Stack interface {
	Invoke(ctx context.Context, function string, event []byte) ([]byte, error)
	Outputs(ctx context.Context) (map[string]string, error)
}

// Open opens the stack of a name, at an endpoint that is not AWS's if it is not empty.
type Open func(ctx context.Context, name, endpoint string) (Stack, error)

// Command carries out one command with what lookup finds in the environment. Root is of the repository.
func Command(ctx context.Context, out io.Writer, root, command string, lookup func(string) string, open Open) error {
	stack := func(usage string) (Stack, error) {
		name, err := StackName(lookup, usage)
		if err != nil {
			return nil, err
		}
		return open(ctx, name, lookup("ENDPOINT"))
	}
	switch command {
	case "apply":
		at, err := stack(ApplyUsage)
		if err != nil {
			return err
		}
		return Apply(ctx, out, cmp.Or(lookup("ACTION"), "apply"), lookup("TENANT"), at.Invoke)
	case "redrive":
		choice, err := NewChoice(lookup)
		if err != nil {
			return err
		}
		at, err := stack(RedriveUsage)
		if err != nil {
			return err
		}
		return choice.Run(ctx, out, at.Invoke)
	case "smoke":
		target, err := smokeTarget(ctx, lookup, stack)
		if err != nil {
			return err
		}
		return Smoke{
			Root: root, Target: target, Tenant: lookup("TENANT"), Token: secret.Value(lookup("AUTH_TOKEN")), Provider: lookup("PROVIDER"), Sample: lookup("SAMPLE"),
		}.Run(ctx, out)
	}
	return &UsageError{"say what to do: operate apply, operate redrive or operate smoke", strings.Join([]string{ApplyUsage, RedriveUsage, SmokeUsage}, "\n")}
}

// smokeTarget returns the gateway that is named, or the stack's.
func smokeTarget(ctx context.Context, lookup func(string) string, stack func(usage string) (Stack, error)) (samples.Target, error) {
	if gateway := lookup("URL"); gateway != "" {
		return samples.At("", gateway, cmp.Or(lookup("PUBLIC_BASE_URL"), strings.TrimRight(gateway, "/"))), nil
	}
	at, err := stack(SmokeUsage)
	if err != nil {
		return samples.Target{}, err
	}
	outputs, err := at.Outputs(ctx)
	if err != nil {
		return samples.Target{}, err
	}
	return samples.At(lookup("ENDPOINT"), outputs["GatewayUrl"], cmp.Or(lookup("PUBLIC_BASE_URL"), outputs["PublicBaseUrl"])), nil
}
