// Command media takes jobs from the media queue, fetches the files that they name, and keeps them.
package main

import (
	"signalbox/functions/media/cmd/wire"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("media")
	f.StartWorker(wire.Keeper(f))
}
