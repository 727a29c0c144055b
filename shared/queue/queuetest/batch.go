package queuetest

import (
	"bytes"
	"strings"

	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"

	"github.com/google/go-cmp/cmp"
)

func batchCases() map[string]testCase {
	return map[string]testCase{
		"ten entries are a batch, eleven and none are refused as a whole": {run: func(e env) {
			e.send("a0 a1 a2 a3 a4 a5 a6 a7 a8 a9")
			if _, err := e.Queue.Send(e.Context(), messages("b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 c0")...); err == nil {
				e.Error("eleven entries were accepted")
			}
			if _, err := e.Queue.Send(e.Context()); err == nil {
				e.Error("an empty batch was accepted")
			}
			e.counted(10, 0)
		}},
		"a batch of 1 MiB is accepted, of one byte more refused as a whole": {run: full},
		"attributes count towards the size of a batch": {run: func(e env) {
			m := messages("a1")[0]
			m.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			m.Body = bytes.Repeat([]byte("x"), inorder.MaxBytes-10)
			if _, err := e.Queue.Send(e.Context(), m); err == nil {
				e.Error("more than 1 MiB was accepted")
			}
		}},
		"a bad entry fails alone": {run: func(e env) {
			batch := messages("a1 b1 c1 d1")
			batch[1].Group = "with space"
			batch[2].ID = strings.Repeat("x", 129)
			sent, err := e.Queue.Send(e.Context(), batch...)
			if err != nil {
				e.Fatal(err)
			}
			for i, bad := range []bool{false, true, true, false} {
				if (sent[i].Err != nil) != bad {
					e.Errorf("entry %d: %v", i, sent[i].Err)
				}
			}
			e.expect(10, "a1 d1")
		}},
		"a body comes back as it was sent": {run: bodies},
	}
}

func bodies(e env) {
	sent := []string{"x", "{\"text\":\"a\\u0000b\"}", "tab\tline\r\nend", "grüße 你好 \U0001f600", `<&"'> </script>`, "\u2028 \ufeff \ufffd"}
	var got []string
	for i, body := range sent {
		m := queue.Message{ID: "id-" + string(rune('a'+i)), Group: "g", Body: []byte(body)}
		if err := e.Queue.Publish(e.Context(), m); err != nil {
			e.Fatal(err)
		}
	}
	for _, d := range e.receive(10) {
		got = append(got, string(d.Body))
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		e.Error(diff)
	}
}

func full(e env) {
	both := messages("a1 b1")
	both[0].Body = bytes.Repeat([]byte("x"), inorder.MaxBytes/2)
	both[1].Body = bytes.Repeat([]byte("x"), inorder.MaxBytes/2+1)
	if _, err := e.Queue.Send(e.Context(), both...); err == nil {
		e.Error("more than 1 MiB was accepted")
	}
	e.counted(0, 0)
	both[1].Body = both[1].Body[1:]
	if _, err := e.Queue.Send(e.Context(), both...); err != nil {
		e.Errorf("1 MiB was refused: %v", err)
	}
	e.counted(2, 0)
}
