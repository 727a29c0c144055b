package salesforce

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// jobs is where jobs of Bulk API 2.0 are that write records: one an object, of rows that are upserted by an external id.
// See https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html.
const jobs = "jobs/ingest"

// null is what a cell says that clears a field. An empty one leaves it as it is.
// See https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_valid_record_rows.htm.
const null = "#N/A"

// The columns of results that are not the rows' own.
const (
	columnID      = "sf__Id"
	columnCreated = "sf__Created"
)

// Rows implements connector.JobWriter: messages of known people, in the records that a graph would write, go into jobs.
func (c *CRM) Rows(ctx context.Context, steps []connector.Step[Request]) [][]connector.Row {
	all := make([][]connector.Row, len(steps))
	o, err := c.org(ctx, connector.KeyOf(steps[0].Request.Delivery))
	if err != nil || o.binding.Capabilities.Tasks && !o.binding.Capabilities.TaskUpsert {
		return all
	}
	for i, step := range steps {
		r, year := step.Request, step.Request.Delivery.Event.Timestamp.UTC().Year()
		if r.Kind != connector.StepRecord || r.Who == "" || !logs(r.Delivery) || year < firstYear || year > lastYear {
			continue
		}
		r.fields, r.activity, r.standing = step.Fields, activityOf(step.Activity, false), step.Stands()
		for _, n := range o.graphOf(r, r.Who, "").Nodes {
			row, ok := o.rowOf(n)
			if !ok {
				all[i] = nil
				break
			}
			all[i] = append(all[i], row)
		}
	}
	return all
}

// rowOf returns the row that writes what a node does. It returns false for a node that is no upsert by an external id, and for a text that would clear its
// field.
func (o *org) rowOf(n node) (row connector.Row, ok bool) {
	parts := strings.Split(strings.TrimPrefix(n.URL, o.path("sobjects/")), "/")
	if n.Method != http.MethodPatch || len(parts) != 3 {
		return row, false
	}
	key, err := url.PathUnescape(parts[2])
	body, failed := json.Marshal(n.Body)
	var values map[string]any
	if err != nil || failed != nil || json.Unmarshal(body, &values) != nil {
		return row, false
	}
	row = connector.Row{Object: parts[0], Field: parts[1], Key: key, Values: map[string]string{}}
	for name, value := range values {
		switch text, isText := value.(string); {
		case value == nil:
			row.Values[name] = null
		case isText && (text == null || strings.Contains(text, "\r")): // which is read as another end of a line
			return row, false
		case isText:
			row.Values[name] = text
		default:
			row.Values[name] = fmt.Sprint(value)
		}
	}
	return row, true
}

// Result implements connector.JobWriter.
func (c *CRM) Result(step connector.Step[Request], rows []connector.Row) connector.Result {
	result := connector.Result{resultWho: step.Request.Who}
	ids := map[string]string{}
	a := activityOf(step.Activity, false)
	for _, row := range rows {
		if a == nil && row.Object == eventObject {
			result[resultEvent] = row.ID
		}
		if a != nil {
			for _, p := range a.parts {
				if p.Key == row.Key {
					ids[ref(p)] = row.ID
				}
			}
		}
	}
	for pair := range slices.Chunk(a.result(ids), 2) {
		result[pair[0]] = pair[1]
	}
	return result
}

// Upload implements connector.Jobs.
func (c *CRM) Upload(ctx context.Context, of connector.BindingKey, rows []connector.Row) ([]connector.JobPart, error) {
	o, err := c.org(ctx, of)
	if err != nil {
		return nil, err
	}
	byObject := map[[2]string][]connector.Row{}
	for _, row := range rows {
		at := [2]string{row.Object, row.Field}
		byObject[at] = append(byObject[at], row)
	}
	var parts []connector.JobPart
	for _, at := range slices.SortedFunc(maps.Keys(byObject), func(a, b [2]string) int { return cmp.Compare(a[0]+a[1], b[0]+b[1]) }) {
		var made jobInfo
		request := connector.Object{"object", at[0], "externalIdFieldName", at[1], "operation", "upsert", "contentType", "CSV", "lineEnding", "LF", "columnDelimiter", "COMMA"}
		if err = o.call(ctx, http.MethodPost, o.path(jobs), request, &made); err != nil {
			return nil, err
		}
		part := connector.JobPart{Object: at[0], Field: at[1], ID: made.ID, State: made.State, Rows: len(byObject[at])}
		table := connector.Raw{Type: "text/csv; charset=UTF-8", Data: sheetOf(at[1], byObject[at])}
		if err = o.call(ctx, http.MethodPut, o.job(part)+"/batches", table, nil); err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// sheetOf returns rows as a table, under the names of their fields.
func sheetOf(key string, rows []connector.Row) []byte {
	columns := map[string]bool{}
	for _, row := range rows {
		for name := range row.Values {
			columns[name] = true
		}
	}
	header := append([]string{key}, slices.Sorted(maps.Keys(columns))...)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write(header) // into memory: it never fails
	for _, row := range rows {
		cells := []string{row.Key}
		for _, name := range header[1:] {
			cells = append(cells, row.Values[name])
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return out.Bytes()
}

// jobInfo is how a job stands.
type jobInfo struct {
	ID        string `json:"id"`
	State     string `json:"state"`
	Processed int    `json:"numberRecordsProcessed"`
	Failed    int    `json:"numberRecordsFailed"`
}

func (o *org) job(part connector.JobPart) string { return o.path(jobs + "/" + url.PathEscape(part.ID)) }

// Advance implements connector.Jobs. A job that is refused what it is asked for, because it was started or is over, is asked how it stands.
// See https://developer.salesforce.com/docs/platform/api-asynch/guide/close-job.html and
// https://developer.salesforce.com/docs/platform/api-asynch/guide/abort-job.html.
func (c *CRM) Advance(ctx context.Context, of connector.BindingKey, part connector.JobPart) (connector.JobPart, error) {
	o, err := c.org(ctx, of)
	if err != nil {
		return part, err
	}
	state := ""
	switch {
	case part.GivenUp:
		state = "Aborted"
	case part.State == "Open":
		state = "UploadComplete"
	}
	var info jobInfo
	asks := state == ""
	if !asks {
		err = o.call(ctx, http.MethodPatch, o.job(part), connector.Object{"state", state}, &info)
		asks = err != nil && fault.Of(err).Kind == fault.Permanent
	}
	if asks {
		err = o.call(ctx, http.MethodGet, o.job(part), nil, &info)
	}
	if err != nil {
		return part, jobLost(err)
	}
	part.State, part.Processed, part.Failed = info.State, info.Processed, info.Failed
	part.Over = slices.Contains([]string{"JobComplete", "Failed", "Aborted"}, part.State)
	return part, nil
}

// jobLost makes a job that is not there a reason to do without it.
func jobLost(err error) error {
	if f := fault.Of(err); absent(err) || missing(err) {
		return fault.New(fault.Permanent, f.Code, f.Err)
	}
	return err
}

// Written implements connector.Jobs.
func (c *CRM) Written(ctx context.Context, of connector.BindingKey, part connector.JobPart) ([]connector.Row, error) {
	o, err := c.org(ctx, of)
	if err != nil {
		return nil, err
	}
	var table []byte
	if err = o.call(ctx, http.MethodGet, o.job(part)+"/successfulResults/", nil, &table); err != nil {
		return nil, jobLost(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		return nil, fault.New(fault.Retryable, codeUndecodable, nil)
	}
	var rows []connector.Row
	for i := 1; i < len(lines); i++ {
		row := connector.Row{Object: part.Object, Field: part.Field, Values: map[string]string{}}
		for k, cell := range lines[i] {
			switch name := lines[0][k]; {
			case name == columnID:
				row.ID = cell
			case name == part.Field:
				row.Key = cell
			case name != columnCreated && cell != "":
				row.Values[name] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

var (
	_ connector.JobWriter[Request] = (*CRM)(nil)
	_ connector.Jobs               = (*CRM)(nil)
)
