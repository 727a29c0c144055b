package salesforce_test

import (
	"log/slog"
	"testing"

	"signalbox/functions/connector"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
)

// TestAJobWritesNothingOfWhomTheOrgErased: rows name a person by the record's id, and make none. So whoever erases a person need not look at jobs: it is
// enough to erase them in the org, as with all that it was given.
func TestAJobWritesNothingOfWhomTheOrgErased(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*salesforce.Binding)
		erase  bool
		rows   int
	}{
		"tasks":                        {unchanged, false, 2},
		"tasks of who is erased":       {unchanged, true, 0},
		"our own object":               {noTasks, false, 1},
		"our own object of the erased": {noTasks, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, c.change)
			crm := w.crm(w.binding, simulatortest.Transport(w.Simulator), slog.New(slog.DiscardHandler))
			d := linked(message(1, delivery.LogActivity), w.who)
			step, _, err := crm.Next(d, nil)
			if err != nil {
				t.Fatal(err)
			}
			of, rows := connector.KeyOf(d), crm.Rows(t.Context(), []connector.Step[salesforce.Request]{step})[0]
			parts, err := crm.Upload(t.Context(), of, rows)
			if err != nil || len(rows) == 0 {
				t.Fatal(rows, err)
			}
			if c.erase {
				w.Delete(w.who)
			}
			for _, part := range parts {
				for !part.Over {
					if part, err = crm.Advance(t.Context(), of, part); err != nil {
						t.Fatal(err)
					}
				}
			}
			held, _ := w.Records("Contact")
			if n := w.stored(); n != c.rows || w.JobRows() != c.rows || len(held) > 0 == c.erase {
				t.Errorf("%d records, and %d persons, want %d", n, len(held), c.rows)
			}
		})
	}
}
