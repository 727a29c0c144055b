// Command sam-event prints an event of a function for `sam local invoke -e`, signed now: make event.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"signalbox/shared/dev/samlocal"
)

func main() {
	event, err := event(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "event:", err)
		os.Exit(1)
	}
	fmt.Println(string(event))
}

func event(ctx context.Context) ([]byte, error) {
	base := cmp.Or(os.Getenv("PUBLIC_BASE_URL"), "https://hooks.signalbox.example")
	maker, err := samlocal.New(".", base, time.Now())
	if err != nil {
		return nil, err
	}
	return maker.Event(ctx, os.Getenv("FUNCTION"), os.Getenv("SAMPLE"))
}
