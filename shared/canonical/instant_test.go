package canonical_test

import (
	"bytes"
	"strings"
	"testing"

	"signalbox/shared/canonical"
)

func TestTimes(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"as they are written":              {"2026-01-18T14:23:12.000Z", "2026-01-18T14:23:12.000Z"},
		"no decimals":                      {"2026-01-18T14:23:12Z", "2026-01-18T14:23:12.000Z"},
		"one decimal":                      {"2026-01-18T14:23:12.5Z", "2026-01-18T14:23:12.500Z"},
		"nine decimals, rounded down":      {"2026-01-18T14:23:12.999999999Z", "2026-01-18T14:23:12.999Z"},
		"an offset east":                   {"2026-01-18T01:23:12.25+05:30", "2026-01-17T19:53:12.250Z"},
		"an offset west":                   {"2026-12-31T23:00:00-08:00", "2027-01-01T07:00:00.000Z"},
		"a leap day":                       {"2028-02-29T00:00:00Z", "2028-02-29T00:00:00.000Z"},
		"the first instant":                {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
		"the last instant":                 {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
		"no leap day":                      {"2026-02-29T00:00:00Z", ""},
		"ten decimals":                     {"2026-01-18T14:23:12.0000000000Z", ""},
		"a point without decimals":         {"2026-01-18T14:23:12.Z", ""},
		"a comma":                          {"2026-01-18T14:23:12,5Z", ""},
		"a leap second":                    {"2016-12-31T23:59:60Z", ""},
		"no zone":                          {"2026-01-18T14:23:12", ""},
		"a zone without a colon":           {"2026-01-18T14:23:12+0100", ""},
		"lower case":                       {"2026-01-18t14:23:12z", ""},
		"hour 24":                          {"2026-01-18T24:00:00Z", ""},
		"an offset of a day":               {"2026-01-18T00:00:00+24:00", ""},
		"before the first year":            {"1969-12-31T23:59:59Z", ""},
		"an offset that leaves the years":  {"1970-01-01T00:00:00+05:00", ""},
		"an offset that passes their end":  {"9999-12-31T23:59:59-05:00", ""},
		"the first day with a zero offset": {"1970-01-01T00:00:00+00:00", ""},
		"a date":                           {"2026-01-18", ""},
		"nothing":                          {"", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			data := strings.Replace(string(read(t, seed)), "2026-01-18T14:23:12.000Z", c.in, 1)
			e, err := canonical.Decode([]byte(data))
			if valid := schemaValid(t, []byte(data)); valid != (err == nil) {
				t.Errorf("the schema says %v, the code %v", valid, err)
			}
			if c.want == "" {
				if err == nil {
					t.Errorf("read as %v", e.Timestamp)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(encode(t, e), []byte(`"timestamp":"`+c.want+`"`)) {
				t.Errorf("written: %s", encode(t, e))
			}
		})
	}
}
