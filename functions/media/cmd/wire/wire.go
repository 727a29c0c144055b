// Package wire makes the functions of media from their environment.
package wire

import (
	"net/url"
	"os"
	"strings"
	"time"

	"signalbox/functions/media"
	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/function"
	"signalbox/shared/claimcheck"
	"signalbox/shared/envelope"
	kept "signalbox/shared/media"
	"signalbox/shared/queue"
)

// limits are those of one file. A file takes four times its size of the function's memory.
func limits() media.Limits { return media.Limits{Bytes: 25 << 20, Time: 15 * time.Second} }

// Keeper returns the worker that fetches files and keeps them.
func Keeper(f *function.Function) *queue.Worker {
	worker := f.Worker("media")
	worker.Unordered, worker.DeadLetters = true, f.DeadLetters()
	ring := f.Ring(f.String("DATA_KEY"), f.String("CONFIG_TABLE"), f.String("PERSON_KEYS_TABLE"))
	objects := f.Objects(f.String("OBJECTS_BUCKET"))
	parts := media.Parts{
		Store: f.Table(f.String("STATE_TABLE")), Objects: objects, Accounts: f.Tenants(), Sealer: ring,
		Source: media.NewFetcher(network(f), limits()), Logger: f.Logger, Meter: f.Meter,
	}
	if scanner := f.Optional("MEDIA_SCAN_URL", ""); scanner != "" {
		parts.Scanner = media.NewHTTPScanner(scanner)
	}
	envelope.OpenFor(worker, claimcheck.New(ring, objects), media.NewKeeper(parts))
	return worker
}

// network returns where files are fetched from: the Internet, or a server of this machine that plays it.
func network(f *function.Function) media.Network {
	var n media.Network
	if base, err := url.Parse(f.String("PUBLIC_BASE_URL")); err == nil {
		n.Own = []string{strings.ToLower(base.Hostname())}
	}
	var err error
	n.Loopback, err = media.Loopback(f.Optional("MEDIA_LOOPBACK", ""), awsconfig.IsLocal(os.LookupEnv))
	if err != nil { // what is missing is told at the start, all of it
		f.Check(err)
	}
	return n
}

// Viewer returns what shows files.
func Viewer(f *function.Function) *media.Viewer {
	return media.NewViewer(media.ShowParts{
		Reader: kept.Reader{
			Store: f.Table(f.String("STATE_TABLE")), Objects: f.Objects(f.String("OBJECTS_BUCKET")),
			Opener: f.Ring("", f.String("CONFIG_TABLE"), f.String("PERSON_KEYS_TABLE")),
		},
		Peppers: f.Peppers(), Logger: f.Logger, Meter: f.Meter,
	})
}
