package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"

	"signalbox/shared/operations/operate"
)

// clear removes what an earlier run left at an emulator that runs already: the simulators are new, and would never hear of
// messages that its tables have as delivered.
func (r *run) clear(ctx context.Context) error {
	stack, err := r.Open(ctx, stackName, r.Endpoint)
	if err != nil {
		return err
	}
	if status, err := stack.Remover.Status(ctx); err != nil || status == "" {
		return err
	}
	if err := r.remove(ctx); err != nil {
		return err
	}
	r.say("the stack %s of an earlier run is removed", stackName)
	return nil
}

// remove deletes the stack, and what it keeps.
func (r *run) remove(ctx context.Context) error {
	if err := r.delete(ctx); err != nil {
		return err
	}
	return r.operate(ctx, "remove", map[string]string{"CONFIRM": stackName})
}

// operate runs a command of the operators' program for the stack.
func (r *run) operate(ctx context.Context, command string, variables map[string]string) error {
	variables["STACK"], variables["ENDPOINT"] = stackName, r.Endpoint
	open := func(ctx context.Context, name, endpoint string) (operate.Stack, error) {
		at, err := r.Open(ctx, name, endpoint)
		return at.Stack, err
	}
	if err := operate.Command(ctx, io.Discard, r.Root, command, func(name string) string { return variables[name] }, open); err != nil {
		return fmt.Errorf("operate %s: %w", command, err)
	}
	return nil
}

func (r *run) delete(ctx context.Context) error {
	return r.command(ctx, "sam delete", nil, sam, "delete", "--stack-name", stackName, "--region", region, "--no-prompts")
}

// recovery deletes the stack with what it keeps, creates it again under its name, and sends a message through it. That what is
// kept can be taken back into a new stack is a test of make emulator: emulators import no secret, so that it has to leave that out.
func (r *run) recovery(ctx context.Context) error {
	if err := r.remove(ctx); err != nil {
		return err
	}
	status, err := r.stack.Remover.Status(ctx)
	if err != nil {
		return err
	}
	if status != "" {
		return errors.New("the stack is still there after sam delete")
	}
	r.say("sam delete and make remove: the stack is gone, and its data")
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return r.deploy(ctx, firstBase) }, r.route, r.apply,
	} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("create the stack again: %w", err)
		}
	}
	target, err := r.target(ctx)
	if err != nil {
		return err
	}
	return r.smoke(ctx, target)
}
