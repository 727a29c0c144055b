// Package operate is what operators do to a stack, deployed or local: apply a tenant file, put dead letters back, route stored
// events again, take back or delete what a deleted stack kept. What is asked for comes from files and the environment, never from
// a command line, and goes into no log.
package operate

import (
	"context"
	"errors"
)

// Invoke invokes a function of a stack by its name in the template, in kebab case and without the stack's, and returns what it
// answers.
type Invoke func(ctx context.Context, function string, event []byte) (answer []byte, err error)

// ErrNoFunction is the error of an Invoke of a function that the stack does not have.
var ErrNoFunction = errors.New("there is no function")

// LocalStack is what the local cloud calls its stack.
const LocalStack = "signalbox"

// UsageError is a command that was not understood: nothing was asked of the stack.
type UsageError struct{ Reason, Usage string }

// Error gives the reason, and how the command is used.
func (e *UsageError) Error() string { return e.Reason + "\n" + e.Usage }

// ExitStatus returns what the program ends with: 0 for no error, 2 for a command that was not understood, 1 for any other.
func ExitStatus(err error) int {
	if _, ok := errors.AsType[*UsageError](err); ok {
		return 2
	}
	if err != nil {
		return 1
	}
	return 0
}

// StackName returns the stack that the variables STACK and ENDPOINT name.
func StackName(lookup func(string) string, usage string) (string, error) {
	stack := lookup("STACK")
	switch {
	case stack != "":
		return stack, nil
	case lookup("ENDPOINT") != "":
		return LocalStack, nil
	default:
		return "", &UsageError{"STACK is not set: say which stack, for example STACK=signalbox-dev", usage}
	}
}

var errRefused = errors.New("the file was refused; what was in force stays in force")
