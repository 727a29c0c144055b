package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// maxFile is how large a file may be that is sent as JSON: 37.5 MB once it is encoded.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-sobject-insert-update-blob.
const maxFile = 27_000_000

// versionObject is the object of files: the record that is made, of which Salesforce makes a document.
const versionObject = "ContentVersion"

// MaxFile implements connector.FileTaker.
func (c *CRM) MaxFile() int { return maxFile }

// attach makes files, each published to the record of its message, or to its person where that is gone. If an earlier try may have come
// through, their files are searched for it first.
func (o *org) attach(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r, f := w.Request(i), w.File(i)
		at := placesOf(f, r.Who)
		if len(at) == 0 {
			w.Succeed(i, connector.ResultLeft, connector.CodeFileNoPerson)
			return
		}
		id := ""
		var err error
		if w.Intended(i) || connector.Forgotten(r.Delivery.Event) {
			id, err = o.attached(ctx, at, f.Key)
		}
		for ; err == nil && id == "" && len(at) > 0; at = at[1:] {
			if id, err = o.publish(ctx, r, f, at[0]); fault.Is(err, codeGone) && len(at) > 1 { // a user deleted it
				err = nil
			}
		}
		switch {
		case fault.Is(err, codeForbidden), fault.Is(err, codeSchema): // the user may make no files, or not see them
			w.Succeed(i, connector.ResultLeft, connector.CodeFileForbidden)
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i, connector.ResultFile, id)
		}
	})
}

// placesOf returns the records that a file may be published to: the one that shows its message, the newest part of an activity, and the person.
func placesOf(f *connector.File, who string) (ids []string) {
	newest, shows := 0, f.Shown[resultEvent]
	for name, id := range f.Shown {
		number, ok := strings.CutPrefix(name, refPart)
		if n, err := strconv.Atoi(number); ok && err == nil && n > newest {
			newest, shows = n, id
		}
	}
	for _, id := range []string{shows, f.Shown[resultWho], who} {
		if recordID.MatchString(id) && (len(ids) == 0 || ids[len(ids)-1] != id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// publish makes a file and returns its id.
func (o *org) publish(ctx context.Context, r Request, f *connector.File, at string) (string, error) {
	data, err := f.Read(ctx)
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	record, _ := json.Marshal(connector.Object{ // texts
		"Title", connector.Cut(strings.TrimSuffix(f.Name, path.Ext(f.Name)), maxSubject), "PathOnClient", f.Name, "FirstPublishLocationId", at,
		"Description", "File of a message by " + connector.ChannelLabel(r.Delivery.Event.Channel) + " " + fileMark(f.Key),
	})
	err = o.call(ctx, http.MethodPost, o.path("sobjects/"+versionObject), connector.Raw{Type: "application/json", Data: connector.WithBase64(record, "VersionData", data)}, &made)
	if err == nil && made.ID == "" {
		err = fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return made.ID, err
}

// fileMark ends the description of a file, which has no key, so that it can be found again.
func fileMark(key string) string { return "[msg:" + key + "]" }

// attached returns the file of a key that records have, "" if there is none. The ids are letters and digits, so that nothing in the
// query needs escaping.
func (o *org) attached(ctx context.Context, at []string, key string) (string, error) {
	query := "SELECT ContentDocument.Description, ContentDocument.LatestPublishedVersionId FROM ContentDocumentLink WHERE LinkedEntityId IN ('" +
		strings.Join(at, "', '") + "')"
	records, done, err := queried[struct {
		Document struct {
			Description string `json:"Description"`
			Version     string `json:"LatestPublishedVersionId"`
		} `json:"ContentDocument"`
	}](ctx, o, "query", query)
	if err != nil {
		return "", err
	}
	for _, record := range records {
		if strings.Contains(record.Document.Description, fileMark(key)) {
			return record.Document.Version, nil
		}
	}
	if !done { // a record with thousands of files
		return "", fault.New(fault.Permanent, "salesforce_query_unfinished", nil)
	}
	return "", nil
}
