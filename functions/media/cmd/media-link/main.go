// Command media-link shows a file to whoever has a link to it: GET /v1/media/{token}.
package main

import (
	"signalbox/functions/media/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("media-link")
	f.Start(lambdahttp.Handler(wire.Viewer(f).Serve))
}
