package media_test

import (
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/media"

	"github.com/google/go-cmp/cmp"
)

const event canonical.EventID = "8f14e45f-ceea-467f-9a8d-3b1d6f0b9c11"

func pepper(tenant string) canonical.Pepper { return canonical.NewPepper("platform", tenant) }

func link() media.Link {
	return media.Link{Tenant: "acme.eu", Event: event, File: 3, Until: time.Unix(1_800_000_000, 0)}
}

// TestTokens is frozen, by a vector that another program computed: links stay in CRMs for as long as they hold.
func TestTokens(t *testing.T) {
	t.Parallel()
	const want = "acme.eu.8f14e45f-ceea-467f-9a8d-3b1d6f0b9c11.3.tro8w0.e0a35d18081fdc40973079fe47f165bb"
	token := link().Token(pepper("acme.eu"))
	if token != want {
		t.Error(token)
	}
	got, ok := media.Parse(token, media.Tenant(token), pepper("acme.eu"))
	if diff := cmp.Diff(link(), got); !ok || diff != "" {
		t.Errorf("%v %s", ok, diff)
	}
}

func TestATokenThatWasChangedOpensNothing(t *testing.T) {
	t.Parallel()
	token := link().Token(pepper("acme.eu"))
	for sentence, changed := range map[string]string{
		"another file":             strings.Replace(token, ".3.", ".2.", 1),
		"the same file otherwise":  strings.Replace(token, ".3.", ".03.", 1),
		"a later end":              strings.Replace(token, "tro8w0", "zzzzzz", 1),
		"another event":            strings.Replace(token, "8f14", "8f15", 1),
		"another tenant":           strings.Replace(token, "acme.eu", "acme.us", 1),
		"a shorter MAC":            token[:len(token)-1],
		"a longer MAC":             token + "0",
		"no MAC":                   token[:strings.LastIndexByte(token, '.')+1],
		"a MAC in capital letters": token[:len(token)-32] + strings.ToUpper(token[len(token)-32:]),
		"nothing":                  "",
		"dots":                     "......",
		"a path":                   "../" + token,
	} {
		if changed == token {
			t.Errorf("%s: nothing was changed", sentence)
		}
		tenant := media.Tenant(changed)
		if l, ok := media.Parse(changed, tenant, pepper(tenant)); ok {
			t.Errorf("%s: %q opens %+v", sentence, changed, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(link().Token(pepper("acme.eu")))
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, token string) {
		tenant := media.Tenant(token)
		if l, ok := media.Parse(token, tenant, pepper(tenant)); ok && l.Token(pepper(tenant)) != token {
			t.Errorf("%q is read as %+v", token, l)
		}
	})
}

func TestFilesKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	file := func(url string) canonical.Attachment { return canonical.Attachment{URL: url, Name: "n"} }
	card := file("https://example.com/card")
	m := canonical.Message{
		Attachments: []canonical.Attachment{file("https://example.com/0"), file("https://example.com/1")},
		Cards:       []canonical.Card{{Title: "without"}, {Title: "with", Media: &card}},
	}
	var urls []string
	for _, a := range media.Files(&m) {
		urls = append(urls, a.URL)
	}
	if diff := cmp.Diff([]string{"https://example.com/0", "https://example.com/1", "https://example.com/card"}, urls); diff != "" {
		t.Error(diff)
	}
	until := time.Unix(1_800_000_000, 0)
	linked := media.Linked(m, "https://hooks.example.com", pepper("demo"), "demo", event, until)
	for i, a := range media.Files(&linked) {
		token, ok := strings.CutPrefix(a.URL, "https://hooks.example.com/v1/media/")
		if l, valid := media.Parse(token, "demo", pepper("demo")); !ok || !valid || l.File != i || !l.Until.Equal(until) || a.Name != "n" {
			t.Errorf("%d: %s %+v", i, a.URL, l)
		}
	}
	if m.Attachments[0].URL != "https://example.com/0" || card.URL != "https://example.com/card" {
		t.Error("the message itself was changed")
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	e := canonical.Event{
		TenantID: "demo", EventID: event, ThreadID: "t1_0", AccountID: "demo-a",
		Message: &canonical.Message{Attachments: []canonical.Attachment{{URL: "https://example.com/0", Access: &canonical.Access{Scheme: "bearer", Hosts: []string{".example.com"}}}}},
	}
	job := media.NewJob(&e, strings.Repeat("a", 64))
	got, err := media.Decode(job.Encode())
	if diff := cmp.Diff(job, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"", "{}", "[]", `{"tenantId":"demo"}`} {
		if _, err := media.Decode([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
