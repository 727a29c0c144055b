package simulator

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
)

// jobsPath is where jobs of Bulk API 2.0 are that write records.
// See https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-ingest.html.
const jobsPath = "jobs/ingest"

// maxUpload is the most that one job is given: 150 MB once it is base64.
const maxUpload = 100 << 20

// The states of a job.
const (
	jobOpen     = "Open"
	jobUploaded = "UploadComplete"
	jobRuns     = "InProgress"
	jobComplete = "JobComplete"
	jobFailed   = "Failed"
	jobAborted  = "Aborted"
)

// null is what a cell says that clears a field. An empty one leaves it as it is.
// See https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/datafiles_csv_valid_record_rows.htm.
const null = "#N/A"

// job is one job.
type job struct {
	ID        string `json:"id"`
	Operation string `json:"operation"`
	Object    string `json:"object"`
	Creator   string `json:"createdById"`
	Created   string `json:"createdDate"`
	Changed   string `json:"systemModstamp"`
	State     string `json:"state"`
	Key       string `json:"externalIdFieldName"`
	Mode      string `json:"concurrencyMode"`
	Content   string `json:"contentType"`
	Version   any    `json:"apiVersion"`
	URL       string `json:"contentUrl,omitempty"`
	Ending    string `json:"lineEnding"`
	Delimiter string `json:"columnDelimiter"`
	Type      string `json:"jobType,omitempty"`
	Message   string `json:"errorMessage,omitempty"`
	Processed int    `json:"numberRecordsProcessed"`
	Failed    int    `json:"numberRecordsFailed"`

	closed                   time.Time
	header                   []string
	rows, wrote, fails, left [][]string
}

// jobs returns what is below jobs/ingest.
func (s *Simulator) jobs(r *http.Request, prefix, path string, body []byte) reply {
	id, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if id == "" && r.Method == http.MethodPost {
		return s.makeJob(prefix, body)
	}
	at := slices.IndexFunc(s.ingest, func(j *job) bool { return j.ID == canonical(id) })
	if at < 0 {
		return missing()
	}
	j := s.ingest[at]
	s.runJob(j)
	switch request := r.Method + " " + rest; request {
	case "PUT batches":
		return j.upload(body)
	case "PATCH ":
		return j.patch(body)
	case "GET ":
		return reply{Status: http.StatusOK, Body: *j}
	case "GET successfulResults":
		return results(append([]string{"sf__Id", "sf__Created"}, j.header...), j.wrote)
	case "GET failedResults":
		return results(append([]string{"sf__Id", "sf__Error"}, j.header...), j.fails)
	case "GET unprocessedrecords":
		return results(j.header, j.left)
	case "DELETE ":
		if j.State == jobUploaded || j.State == jobRuns {
			return invalidState("Cannot delete a job that is " + j.State)
		}
		s.ingest = slices.Delete(s.ingest, at, at+1)
		return reply{Status: http.StatusNoContent}
	default:
		return undocumented(r.Method)
	}
}

func invalidState(message string) reply {
	return refuse(http.StatusBadRequest, "INVALIDJOBSTATE", message)
}

// makeJob returns POST jobs/ingest. See https://developer.salesforce.com/docs/platform/api-asynch/guide/create-job.html.
func (s *Simulator) makeJob(prefix string, body []byte) reply {
	in := struct {
		Object    string `json:"object"`
		Operation string `json:"operation"`
		Key       string `json:"externalIdFieldName"`
		Content   string `json:"contentType"`
		Ending    string `json:"lineEnding"`
		Delimiter string `json:"columnDelimiter"`
	}{Content: "CSV", Ending: "LF", Delimiter: "COMMA"}
	if err := simulatortest.Decode(body, &in); err != nil {
		return parser(err.Error())
	}
	t := s.table(in.Object)
	switch {
	case t == nil || len(t.fields) == 0:
		return refuse(http.StatusBadRequest, "INVALIDENTITY", "Unable to find object: "+in.Object)
	case in.Operation != "upsert" || in.Content != "CSV" || in.Ending != "LF" || in.Delimiter != "COMMA":
		return refuse(http.StatusBadRequest, "SIMULATOR", "only an upsert of comma-separated lines is simulated")
	case !t.fields[t.name(in.Key)].Key:
		return refuse(http.StatusBadRequest, "INVALIDJOB", "InvalidJob : Field name provided, "+in.Key+" does not match an External ID, Salesforce Id, or indexed field for "+in.Object)
	}
	s.lastID++
	id, now := fmt.Sprintf("750%012d", s.lastID), shownTime(time.Now())
	j := &job{
		ID: id + suffix(id), Operation: in.Operation, Object: t.object, Creator: integrationUser, Created: now, Changed: now, State: jobOpen, Key: t.name(in.Key),
		Mode: "Parallel", Content: in.Content, Ending: in.Ending, Delimiter: in.Delimiter, Type: "V2Ingest",
	}
	version := strings.Trim(strings.TrimPrefix(prefix, "/services/data/v"), "/")
	j.Version, j.URL = json.RawMessage(version), "services/data/v"+version+"/"+jobsPath+"/"+j.ID+"/batches"
	s.ingest = append(s.ingest, j)
	return reply{Status: http.StatusOK, Body: *j}
}

// upload returns PUT jobs/ingest/{id}/batches. See https://developer.salesforce.com/docs/platform/api-asynch/guide/upload-job-data.html.
func (j *job) upload(body []byte) reply {
	switch {
	case j.State != jobOpen || j.header != nil:
		return invalidState("Upload is not allowed in state " + j.State)
	case len(body) > maxUpload:
		return refuse(http.StatusRequestEntityTooLarge, "MAXSIZEEXCEEDED", "the upload is too large")
	}
	all, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(all) == 0 {
		return refuse(http.StatusBadRequest, "INVALIDBATCH", "the rows cannot be read")
	}
	j.header, j.rows, j.left = all[0], all[1:], all[1:]
	return reply{Status: http.StatusCreated}
}

// patch returns PATCH jobs/ingest/{id}, which starts a job or ends it.
// See https://developer.salesforce.com/docs/platform/api-asynch/guide/close-job.html and
// https://developer.salesforce.com/docs/platform/api-asynch/guide/abort-job.html.
func (j *job) patch(body []byte) reply {
	var in struct {
		State string `json:"state"`
	}
	err := simulatortest.Decode(body, &in)
	switch {
	case err != nil || in.State != jobUploaded && in.State != jobAborted:
		return parser("state is UploadComplete or Aborted")
	case in.State == jobUploaded && j.State != jobOpen, j.State == jobComplete || j.State == jobFailed || j.State == jobAborted:
		return invalidState("Job is " + j.State + ", and cannot become " + in.State)
	}
	j.State, j.URL, j.closed, j.Changed = in.State, "", time.Now(), shownTime(time.Now())
	return reply{Status: http.StatusOK, Body: *j}
}

// runJob takes a job as far as it is by now.
func (s *Simulator) runJob(j *job) {
	switch since := time.Since(j.closed); {
	case j.State != jobUploaded && j.State != jobRuns:
	case since < s.options.JobTime/2:
	case since < s.options.JobTime:
		j.State = jobRuns
	default:
		s.carryOut(j)
	}
}

// carryOut writes the rows of a job, each by itself, in an order that nobody is told.
func (s *Simulator) carryOut(j *job) {
	j.State, j.Changed = jobComplete, shownTime(time.Now())
	t := s.Tables[j.Object]
	for _, name := range j.header {
		if column, _, _ := t.column(name); column == "" {
			j.State, j.Message = jobFailed, "InvalidBatch : Field name not found : "+name
			return
		}
	}
	j.left = nil
	for _, row := range slices.Backward(j.rows) {
		r, created, fault := s.writeRow(t, j, row)
		if j.Processed++; fault != nil {
			j.Failed++
			j.fails = append(j.fails, append([]string{"", fault.code + ":" + fault.message + ":" + strings.Join(fault.fields, ",") + "--"}, row...))
			continue
		}
		j.wrote = append(j.wrote, append([]string{r.ID, strconv.FormatBool(created)}, row...))
	}
}

// JobRows returns how many records jobs have written.
func (s *Simulator) JobRows() (n int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	for _, j := range s.ingest {
		s.runJob(j)
		n += len(j.wrote)
	}
	return n
}

// JobsTake has the jobs that are not over take so long from when they were started.
func (s *Simulator) JobsTake(d time.Duration) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.options.JobTime = d
}

// column returns the field of a column, and, of one like Contact__r.Msg_Sender_Key__c, the object and the key that name the record it leads to.
// See https://developer.salesforce.com/docs/platform/api-asynch/guide/relationship-fields-in-a-header-row-2-0.html.
func (t *table) column(written string) (name, object, key string) {
	if relation, key, ok := strings.Cut(written, "."); ok {
		name = t.name(strings.TrimSuffix(relation, "__r") + "__c")
		if to := t.fields[name].To; len(to) == 1 {
			return name, to[0], key
		}
		return "", "", ""
	}
	if name = t.name(written); t.fields[name].Kind == "" && name != fieldID { // an id is left empty in an upsert by another key
		return "", "", ""
	}
	return name, "", ""
}

// writeRow upserts one row of a job.
func (s *Simulator) writeRow(t *table, j *job, row []string) (r *record, created bool, refused *fault) {
	values := map[string]any{}
	for i, cell := range row {
		name, object, key := t.column(j.header[i])
		switch {
		case cell == "":
		case cell == null:
			values[name] = nil
		case object != "":
			to := s.Tables[object]
			found := to.found(to.name(key), cell)
			if len(found) != 1 {
				return nil, false, bad("INVALID_FIELD", "Foreign key external ID: "+cell+" not found for field "+key+" in entity "+object)
			}
			values[name] = found[0].ID
		default:
			value, err := t.fields[name].read(cell)
			if err != nil {
				return nil, false, bad("INVALID_TYPE_ON_FIELD_IN_RECORD", name+": value not of required type: "+cell, name)
			}
			values[name] = value
		}
	}
	key, _ := values[j.Key].(string)
	if key == "" {
		return nil, false, bad("MISSING_ARGUMENT", j.Key+" not specified")
	}
	found := t.found(j.Key, key)
	if len(found) > 1 {
		return nil, false, bad("DUPLICATE_EXTERNAL_ID", j.Key+": more than one record found for external id field")
	}
	r, refused = s.write(t, append(found, nil)[0], values)
	return r, len(found) == 0, refused
}

// read returns what a cell says of a field.
func (f field) read(cell string) (any, error) {
	switch f.Kind {
	case "Checkbox":
		return strconv.ParseBool(cell)
	case "Number":
		return strconv.ParseFloat(cell, 64)
	case kindBlob:
		return nil, errors.New("a file cannot be in a cell")
	default:
		return cell, nil
	}
}

// results returns rows under a header, in quotes, as Salesforce writes them.
func results(header []string, rows [][]string) reply {
	var out bytes.Buffer
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		out.WriteByte('\n')
	}
	return reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/csv"}}, Body: json.RawMessage(out.Bytes())}
}
