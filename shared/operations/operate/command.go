package operate

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Stack is a deployed or a local stack, by what each command needs of it.
type Stack struct {
	Invoke   Invoke
	Outputs  func(ctx context.Context) (map[string]string, error)
	Sign     func(ctx context.Context, r *http.Request) error // a request without a body to the stack's HTTP API
	Importer Importer
	Remover  Remover
	Deployed Deployed
}

// Open opens the stack of a name, at an endpoint that is not AWS's if it is not empty.
type Open func(ctx context.Context, name, endpoint string) (Stack, error)

// Command carries out one command with what lookup finds in the environment. Root is of the repository.
func Command(ctx context.Context, out io.Writer, root, command string, lookup func(string) string, open Open) error {
	stack := func(usage string) (Stack, error) {
		name, err := StackName(lookup, usage)
		if err != nil {
			return Stack{}, err
		}
		return open(ctx, name, lookup("ENDPOINT"))
	}
	switch command {
	case "apply":
		return applyCommand(ctx, out, lookup, stack)
	case "redrive":
		return redriveCommand(ctx, out, lookup, stack)
	case "backfill":
		return backfillCommand(ctx, out, root, lookup, stack)
	case "connect":
		return kindsCommand(ctx, out, root, lookup, stack, ConnectUsage, Connect)
	case "health":
		return healthCommand(ctx, out, root, lookup, stack)
	case "resume":
		return kindsCommand(ctx, out, root, lookup, stack, ResumeUsage, Resume)
	case "consent", "consent-import":
		return consentCommand(ctx, out, command, lookup, stack)
	case "smoke":
		target, invoke, err := smokeTarget(ctx, lookup, stack)
		if err != nil {
			return err
		}
		return Smoke{
			Root: root, Target: target, Tenant: lookup("TENANT"), Account: lookup("ACCOUNT"), Invoke: invoke, Token: secret.Value(lookup("AUTH_TOKEN")), Provider: lookup("PROVIDER"), Sample: lookup("SAMPLE"),
		}.Run(ctx, out)
	case "check":
		return checkCommand(ctx, out, root, lookup, stack)
	case "recover":
		kept, at, err := retained(ctx, root, RecoverUsage, lookup, open)
		if err != nil {
			return err
		}
		return Recover(ctx, out, kept, at.Importer)
	case "remove":
		kept, at, err := retained(ctx, root, RemoveUsage, lookup, open)
		if err != nil {
			return err
		}
		return Remove(ctx, out, kept, lookup("CONFIRM"), at.Remover)
	}
	return &UsageError{
		"say what to do: operate apply, connect, health, resume, redrive, backfill, consent, consent-import, smoke, check, recover or remove",
		strings.Join([]string{
			ApplyUsage, ConnectUsage, HealthUsage, ResumeUsage, RedriveUsage, BackfillUsage, ConsentUsage, ConsentImportUsage, SmokeUsage, CheckUsage, RecoverUsage, RemoveUsage,
		}, "\n"),
	}
}

func applyCommand(ctx context.Context, out io.Writer, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	at, err := stack(ApplyUsage)
	if err != nil {
		return err
	}
	return Apply(ctx, out, cmp.Or(lookup("ACTION"), "apply"), lookup("TENANT"), at.Invoke)
}

func redriveCommand(ctx context.Context, out io.Writer, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	choice, err := NewChoice(lookup)
	if err != nil {
		return err
	}
	at, err := stack(RedriveUsage)
	if err != nil {
		return err
	}
	return choice.Run(ctx, out, at.Invoke)
}

func backfillCommand(ctx context.Context, out io.Writer, root string, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	template, err := readTemplate(root)
	if err != nil {
		return err
	}
	channels, err := listOf(template, "Channels")
	if err != nil {
		return err
	}
	at, err := stack(BackfillUsage)
	if err != nil {
		return err
	}
	return Backfill(ctx, out, lookup, channels, at.Invoke)
}

// kindsOf returns the kinds of CRMs that CRMS lists, or else the template.
func kindsOf(root string, lookup func(string) string) ([]string, error) {
	template, err := readTemplate(root)
	if err != nil {
		return nil, err
	}
	if listed := lookup("CRMS"); listed != "" {
		return strings.Split(listed, ","), nil
	}
	return listOf(template, "Crms")
}

func healthCommand(ctx context.Context, out io.Writer, root string, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	kinds, err := kindsOf(root, lookup)
	if err != nil {
		return err
	}
	at, err := stack(HealthUsage)
	if err != nil {
		return err
	}
	return Health(ctx, out, lookup, kinds, at)
}

// kindsCommand does something with the functions of all kinds of CRMs.
func kindsCommand(
	ctx context.Context, out io.Writer, root string, lookup func(string) string, stack func(usage string) (Stack, error), usage string,
	do func(ctx context.Context, out io.Writer, lookup func(string) string, kinds []string, invoke Invoke) error,
) error {
	kinds, err := kindsOf(root, lookup)
	if err != nil {
		return err
	}
	at, err := stack(usage)
	if err != nil {
		return err
	}
	return do(ctx, out, lookup, kinds, at.Invoke)
}

func consentCommand(ctx context.Context, out io.Writer, command string, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	do, usage := Consent, ConsentUsage
	if command == "consent-import" {
		do, usage = ConsentImport, ConsentImportUsage
	}
	at, err := stack(usage)
	if err != nil {
		return err
	}
	return do(ctx, out, lookup, at.Invoke)
}

func checkCommand(ctx context.Context, out io.Writer, root string, lookup func(string) string, stack func(usage string) (Stack, error)) error {
	name, err := StackName(lookup, CheckUsage)
	if err != nil {
		return err
	}
	at, err := stack(CheckUsage)
	if err != nil {
		return err
	}
	template, err := readTemplate(root)
	if err != nil {
		return err
	}
	wanted, err := readParameters(lookup("PARAMETERS"))
	if err != nil {
		return err
	}
	return Check(ctx, out, template, name, wanted, at)
}

// retained reads from the template what the stack keeps, and opens it.
func retained(ctx context.Context, root, usage string, lookup func(string) string, open Open) (Kept, Stack, error) {
	name := lookup("STACK")
	if name == "" {
		return Kept{}, Stack{}, &UsageError{"STACK is not set: say which stack was deleted; make run has none", usage}
	}
	template, err := readTemplate(root)
	if err != nil {
		return Kept{}, Stack{}, err
	}
	kept, err := NewKept(template, name, map[string]string{"Crms": lookup("CRMS")})
	if err != nil {
		return Kept{}, Stack{}, err
	}
	at, err := open(ctx, name, lookup("ENDPOINT"))
	return kept, at, err
}

func readTemplate(root string) ([]byte, error) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml")) //nolint:gosec // the repository's own
	if err != nil {
		return nil, fmt.Errorf("run this where template.yaml is: %w", err)
	}
	return template, nil
}

// smokeTarget returns the gateway that is named, or the stack's and what invokes its functions.
func smokeTarget(ctx context.Context, lookup func(string) string, stack func(usage string) (Stack, error)) (samples.Target, Invoke, error) {
	gateway, public := lookup("URL"), strings.TrimRight(lookup("PUBLIC_BASE_URL"), "/")
	if gateway != "" {
		if at, err := url.Parse(gateway); err != nil || at.Host == "" {
			return samples.Target{}, nil, &UsageError{"URL is http:// or https:// and a host", SmokeUsage}
		}
	}
	if gateway != "" && lookup("STACK") == "" && lookup("ENDPOINT") == "" {
		return samples.At("", gateway, cmp.Or(public, strings.TrimRight(gateway, "/"))), nil, nil
	}
	at, err := stack(SmokeUsage)
	if err != nil {
		return samples.Target{}, nil, err
	}
	outputs, err := at.Outputs(ctx)
	if err != nil {
		return samples.Target{}, nil, err
	}
	return samples.At(lookup("ENDPOINT"), cmp.Or(gateway, outputs["GatewayUrl"]), cmp.Or(public, outputs["PublicBaseUrl"])), at.Invoke, nil
}
