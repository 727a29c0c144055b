package canonical_test

import (
	"encoding/json"
	"strings"
	"testing"

	"signalbox/shared/canonical"
)

func BenchmarkDecode(b *testing.B) {
	for name, data := range benchmarked(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_ = decode(b, data)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, data := range benchmarked(b) {
		e := decode(b, data)
		if e.Message != nil { // as an adapter hands it over
			e.Message.Summary, e.Message.ContentType = "", ""
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = encode(b, e)
			}
		})
	}
}

func benchmarked(b *testing.B) map[string][]byte {
	b.Helper()
	big := decode(b, read(b, seed))
	big.Metadata = map[string]json.RawMessage{canonical.RawVendor: []byte(`{"Body":"` + strings.Repeat("x", 100<<10) + `"}`)}
	return map[string][]byte{
		"seed":       read(b, seed),
		"everything": read(b, "testdata/everything.json"),
		"100 KB":     encode(b, big),
	}
}
