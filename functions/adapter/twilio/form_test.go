package twilio

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeForm(t *testing.T) {
	cases := map[string]struct {
		body string
		want form
	}{
		"fields keep their order":                {"B=1&A=2", form{{"B", "1"}, {"A", "2"}}},
		"blank values and names stay":            {"A=&B&=C", form{{"A", ""}, {"B", ""}, {"", "C"}}},
		"empty segments are nothing":             {"&&A=1&", form{{"A", "1"}}},
		"a plus is a space":                      {"A=+1+&B=%2B1", form{{"A", " 1 "}, {"B", "+1"}}},
		"a semicolon is content":                 {"A=1;B=2", form{{"A", "1;B=2"}}},
		"what is no escape stands for itself":    {"A=100%&B=%zz&C=%4", form{{"A", "100%"}, {"B", "%zz"}, {"C", "%4"}}},
		"escapes are undone once, in both cases": {"A=%2525&%c3%A9=1", form{{"A", "%25"}, {"é", "1"}}},
		"only the first equals sign separates":   {"A=1=2", form{{"A", "1=2"}}},
		"nothing":                                {"", form{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, complete := decodeForm([]byte(c.body))
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(field{})); diff != "" || !complete {
				t.Errorf("complete %t, -want +got:\n%s", complete, diff)
			}
		})
	}
}

func TestDecodeFormIsBounded(t *testing.T) {
	if fields, complete := decodeForm([]byte(strings.Repeat("a&", maxFields))); len(fields) != maxFields || !complete {
		t.Errorf("%d fields, complete %t", len(fields), complete)
	}
	if fields, complete := decodeForm([]byte(strings.Repeat("a&", maxFields+1))); len(fields) != maxFields || complete {
		t.Errorf("%d fields, complete %t", len(fields), complete)
	}
}

func FuzzDecodeForm(f *testing.F) {
	for _, seed := range []string{"A=1&B=%2B+2", "a;b", "%", "%4", "&&=&", "A=%F0%9F%8E%81"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		fields, complete := decodeForm([]byte(body))
		values, err := url.ParseQuery(body)
		if err != nil || !complete {
			return // the standard library is stricter
		}
		got := url.Values{}
		for _, f := range fields {
			got.Add(f.name, f.value)
		}
		if diff := cmp.Diff(values, got); diff != "" {
			t.Errorf("-net/url +ours:\n%s", diff)
		}
	})
}
