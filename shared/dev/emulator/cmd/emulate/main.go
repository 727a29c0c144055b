// Command emulate is what make cloud runs: it deploys Signalbox to an emulator of AWS, at ENDPOINT or started for it, and sends the
// samples through it.
package main

import (
	"context"
	"os"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/dev/emulator"
	"signalbox/shared/dev/local"
	"signalbox/shared/operations/operate"
)

func main() {
	local.Main(func(ctx context.Context, root string) error {
		return emulator.Run(ctx, os.Stdout, emulator.Options{
			Root: root, Endpoint: os.Getenv("ENDPOINT"), Recovery: os.Getenv("RECOVERY") != "", Keep: os.Getenv("KEEP") != "",
			Open: func(ctx context.Context, name, endpoint string) (emulator.Stack, error) {
				at, err := awsstack.Open(ctx, name, endpoint)
				if err != nil {
					return emulator.Stack{}, err
				}
				own := operate.Stack{Invoke: at.Invoke, Outputs: at.Outputs, Importer: at, Remover: at, Deployed: at}
				return emulator.Stack{Stack: own, Emulated: at}, nil
			},
		})
	})
}
