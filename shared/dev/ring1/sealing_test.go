package ring1

import (
	"bytes"
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signalbox/functions/adapter"
	"signalbox/functions/router"
	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/canonical"
	letters "signalbox/shared/deadletter"
	"signalbox/shared/dev/local/cloud"
	localdynamodb "signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/inprocess"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

const (
	erased = "+15552010001"
	stays  = "+15552010002"
)

// person returns the key of a person of the demo tenant.
func (p *pipeline) person(address string) string {
	p.t.Helper()
	pepper, err := p.peppers.Pepper(p.t.Context(), "demo")
	if err != nil {
		p.t.Fatal(err)
	}
	return canonical.PersonKey(pepper, address)
}

// stored returns the event records and the dead letters of a message.
func (p *pipeline) stored(n int) (record store.Record, dead []letters.Record) {
	p.t.Helper()
	partition := router.Key("demo", p.event(n)).Partition
	for r := range p.state.All() {
		if r.Partition != partition {
			continue
		}
		if r.Sort == "event" {
			record = r
		}
		if letter, ok := letters.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
			dead = append(dead, letter)
		}
	}
	return record, dead
}

func TestWithAPersonsKeyGoneTheirRecordsDeliveriesAndDeadLettersCannotBeRead(t *testing.T) {
	for name, more := range map[string]string{"in messages and records": "", "kept apart": strings.Repeat("€", 99_000)} {
		t.Run(name, func(t *testing.T) { keyGone(t, more) })
	}
}

// keyGone is that test with so much more said in each message.
func keyGone(t *testing.T, more string) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.outage.refuse(p.about.Refusals.Data, 365*24*time.Hour)
		p.send(message{number: number(0), from: erased, text: "given up before" + more})
		p.send(message{number: number(1), from: stays, text: "given up, too" + more})
		p.settled(time.Hour)
		p.outage.begin(p.api, http.StatusServiceUnavailable, "", 365*24*time.Hour)
		p.send(message{number: number(2), from: erased, text: "is parked" + more})
		p.send(message{number: number(3), from: stays, text: "is parked, too" + more})
		time.Sleep(10 * time.Minute)
		if parked := p.parked("demo"); len(parked) != 2 || p.deliver.Counters().Visible > 0 {
			t.Fatalf("%d are parked, %+v wait", len(parked), p.deliver.Counters())
		}

		for range 2 {
			if err := p.ring.DeletePerson(t.Context(), "demo", p.person(erased)); err != nil {
				t.Fatal(err)
			}
		}
		p.outage.begin("", 0, "", 0)
		p.settled(time.Hour)

		for n, want := range map[int]string{0: keyring.CodeErased, 1: "", 2: keyring.CodeErased, 3: ""} {
			record, dead := p.stored(n)
			got := ""
			opened, err := router.OpenRecord(t.Context(), p.sealer, record.Key, record.Data)
			if err != nil {
				got = fault.Of(err).Code
			}
			if got != want || err == nil && len(opened.Event) == 0 {
				t.Errorf("the record of message %d: %v, want %q", n, err, want)
			}
			if n != 3 && len(dead) != 1 {
				t.Fatalf("message %d has %d dead letters\n%s", n, len(dead), p.logs.text())
			}
			for _, letter := range dead {
				_, unsealed, err := envelope.Open(t.Context(), p.sealer, letter.Body)
				if got = ""; err != nil {
					got = fault.Of(err).Code
				}
				if unsealed || got != want {
					t.Errorf("the dead letter of message %d: %v, want %q", n, err, want)
				}
			}
		}
		_, dead := p.stored(2)
		if letter := dead[0]; letter.Code != keyring.CodeErased || letter.Kind != "permanent" || bytes.Contains(letter.Body, []byte("sealed")) {
			t.Errorf("what was parked became %s %s: %s", letter.Kind, letter.Code, letter.Body)
		}
		if held := p.messages(); len(held) != 1 || held[0].Properties[p.about.Key] != p.key(3) {
			t.Errorf("the CRM holds %v, want message 3 alone", held)
		}
	})
}

func TestACopyOfAnErasedPersonsMessageIsGivenUpWithoutContent(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		p.send(message{number: number(0), from: erased, text: "hello"})
		p.settled(time.Hour)
		if err := p.ring.DeletePerson(t.Context(), "demo", p.person(erased)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // past the queue's own deduplication
		p.send(message{number: number(0), from: erased, text: "hello"})
		p.settled(time.Hour)
		_, dead := p.stored(0)
		if len(dead) != 1 || dead[0].Code != keyring.CodeErased || bytes.Contains(dead[0].Body, []byte("sealed")) {
			t.Errorf("dead letters: %+v", dead)
		}
		p.send(message{number: number(1), from: erased, text: "and again"}) // the person is a new one
		p.settled(time.Hour)
		if record, _ := p.stored(1); record.Version == 0 {
			t.Error("a new message is not recorded")
		} else if _, err := router.OpenRecord(t.Context(), p.ring, record.Key, record.Data); err != nil {
			t.Error(err)
		}
	})
}

// unsealed is a release from before sealing.
type unsealed struct{ *pipeline }

func (unsealed) SealTenant(_ context.Context, _ keyring.Place, plain []byte) ([]byte, error) {
	return plain, nil
}

func (u unsealed) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	return u.ring.Open(ctx, at, sealed)
}

// Publish sends events as they were before they were sealed.
func (u unsealed) Publish(ctx context.Context, messages ...queue.Message) error {
	for i := range messages {
		plain, _, err := envelope.Open(ctx, u.ring, messages[i].Body)
		if err != nil {
			return err
		}
		messages[i].Body = plain
	}
	return u.events.Publish(ctx, messages...)
}

func TestWhatAReleaseOfBeforeKeptIsStillRead(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		o, sealing := newOperator(p), p.adapter.DeadLetters
		for n, kept := range []adapter.DeadLetterWriter{adapter.NewDeadLetters(unsealed{p}, p.spool, p.state, "1"), sealing} {
			p.adapter.DeadLetters = kept
			p.send(message{number: number(n), from: stays, line: "+15557650000", text: "nobody's"})
		}
		plan := o.all(redrive.Plan)
		if len(plan.Items) != 2 {
			t.Fatalf("%d dead letters", len(plan.Items))
		}
		for _, item := range plan.Items {
			if item.Code != adapter.CodeUnowned { // its bytes were read
				t.Errorf("%+v", item)
			}
		}
		p.adapter = p.newAdapter(p.provider, unsealed{p})
		p.send(message{number: number(2), from: stays, text: "in the clear"})
		p.settled(time.Hour)
		if record, _ := p.stored(2); record.Version == 0 || !strings.Contains(p.logs.text(), "UnsealedBody") {
			t.Error("an event that was not sealed is not routed, or not counted")
		}
	})
}

// TestALargeMessageIsSpooledSealedAndArrives: what is larger than a queue takes, too.
func TestALargeMessageIsSpooledSealedAndArrives(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		apart bool
	}{
		"the largest that travels":    {strings.Repeat(`<"&é`, 190<<10/11), false},
		"the largest that is said":    {strings.Repeat("€", 99_999), true},
		"one that compresses to much": {noise(99_999), true},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				p.events.Inject(down)
				if status := p.send(message{number: number(0), from: stays, text: c.text}); status != http.StatusOK {
					t.Fatalf("answered %d\n%s", status, p.logs.text())
				}
				found := false
				for record := range p.spool.All() {
					found = found || strings.HasPrefix(record.Partition, "spool/")
					if bytes.Contains(record.Data, []byte(`<\"&é`)) {
						t.Error("the spool holds the text")
					}
				}
				if !found || len(p.objects.Names()) > 0 != c.apart {
					t.Fatalf("spooled %t, apart %q\n%s", found, p.objects.Names(), p.logs.text())
				}
				p.events.Inject(nil)
				p.drainUntilEmpty()
				p.settled(time.Hour)
				p.check(1, func(int) string { return "a" })
			})
		})
	}
}

// noise returns a text of so many characters that hardly gets smaller.
func noise(characters int) string {
	random, out := mathrand.New(mathrand.NewPCG(1, 2)), make([]rune, characters)
	for i := range out {
		out[i] = 0x4e00 + random.Int32N(20_000)
	}
	return string(out)
}

// TestWhatAPersonsKeyCosts counts at the local cloud's database: a router and a connector that hold nothing of a known person
// read half a unit each, once in PersonFresh, and write nothing.
func TestWhatAPersonsKeyCosts(t *testing.T) {
	persons, config := memstore.New(), memstore.New()
	database := localdynamodb.New(map[string]*memstore.Store{"persons": persons, "config": config})
	database.Refused = func(m string) { t.Error(m) }
	services := cloud.New(cloud.Services{DynamoDB: database}, nil, &cloud.Counts{})
	client := awsconfig.Base("eu-central-1", &http.Client{Transport: inprocess.Transport{Handler: services}})
	client.Credentials = awsconfig.Static("local", "local", "")
	endpoint := "http://aws.test"
	client.BaseEndpoint = &endpoint
	tables, master := dynamodb.NewFromConfig(client), memkeys.New()
	process := func() *keyring.Ring {
		return keyring.New(keyring.Options{
			Keys: master, Tenants: config, Persons: dynamostore.New(tables, "persons"), Random: rand.Reader,
		})
	}
	at, who := keyring.Place{Tenant: "demo", Purpose: "test", Name: "1"}, strings.Repeat("a", 64)
	if _, err := process().SealPerson(t.Context(), at, who, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	before := database.Usage()
	sealed, err := process().SealPerson(t.Context(), at, who, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := process().Open(t.Context(), at, sealed); err != nil {
		t.Fatal(err)
	}
	after := database.Usage()
	if reads, writes := after.ReadUnits-before.ReadUnits, after.WriteUnits-before.WriteUnits; reads > 1 || writes > 0 {
		t.Errorf("%v read units and %v write units", reads, writes)
	}
}
