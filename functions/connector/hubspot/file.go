package hubspot

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// maxFile is how large a file HubSpot takes of every portal: those that pay for it may have larger ones.
const maxFile = 20_000_000

// The properties of notes. See https://developers.hubspot.com/docs/api-reference/2026-03/crm/activities/notes/guide.
const (
	noteBody    = "hs_note_body"
	attachments = "hs_attachment_ids" // with semicolons between
)

// MaxFile implements connector.FileTaker.
func (c *CRM) MaxFile() int { return maxFile }

// attachFile plans how a file comes to the timeline of its contact: it is uploaded, and a note has it. HubSpot documents files of notes and
// of some other activities, and none of communications. Nobody is made for a file.
func (p plan) attachFile() *step {
	contact, next := p.person(false)
	stored := p.Result(string(upload))
	switch {
	case next != nil || contact == "":
		return next
	case stored == nil:
		next = p.step(upload, string(upload), delivery.Action{}, contact)
		next.Seen = true
	case stored[connector.ResultFile] != "" && !p.Finished(string(attach)):
		next = p.step(attach, string(attach), delivery.Action{}, contact)
		next.Once, next.Request.file = true, stored[connector.ResultFile]
	}
	return next
}

// upload puts files into the file manager. A portal that has not granted the scope, or that refuses a file, keeps the link.
func (p *portal) upload(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		id, err := p.store(ctx, w.Request(i).delivery, w.File(i))
		switch {
		case fault.Is(err, codeScopes):
			w.Succeed(i, connector.ResultLeft, connector.CodeFileForbidden)
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i, connector.ResultFile, id)
		}
	})
}

// store uploads a file and returns its id. In a folder of the person's own it is kept once, however often it is sent: whoever does not know
// what became of an upload makes it again. The folder is also where whoever erases the person finds all of them.
func (p *portal) store(ctx context.Context, d delivery.Delivery, f *connector.File) (string, error) {
	data, err := f.Read(ctx)
	if err != nil {
		return "", err
	}
	var body bytes.Buffer
	body.Grow(len(data) + 4<<10)
	form := multipart.NewWriter(&body)
	options, _ := json.Marshal(map[string]any{ // texts
		"access": "PRIVATE", "overwrite": false, "duplicateValidationStrategy": "RETURN_EXISTING", "duplicateValidationScope": "EXACT_FOLDER",
	})
	_ = form.WriteField("folderPath", folderOf(d)) // into memory, like all of it
	_ = form.WriteField("options", string(options))
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + savedName(f) + `"`}, "Content-Type": {f.Type},
	})
	if err == nil {
		_, err = part.Write(data)
	}
	if err != nil {
		return "", fault.New(fault.Permanent, "hubspot_request_unencodable", nil)
	}
	_ = form.Close()
	var made object
	err = p.call(ctx, http.MethodPost, p.routes.files, connector.Raw{Type: form.FormDataContentType(), Data: body.Bytes()}, &made)
	if err == nil && made.ID == "" {
		err = fault.New(fault.Permanent, codeSilent, nil)
	}
	return made.ID, err
}

// savedName returns what a file is called among those of its person. HubSpot does not document whether a duplicate is what has the name or what has the
// content, and phones call many photos the same: with a part of the key no file is taken for another, and one that comes again for itself.
func savedName(f *connector.File) string {
	extension := path.Ext(f.Name)
	return strings.Map(func(r rune) rune { // what a header's quoted text cannot hold
		if r < ' ' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, strings.TrimSuffix(f.Name, extension)+"-"+f.Key[:8]+extension)
}

// folderOf returns the folder of a person's files.
func folderOf(d delivery.Delivery) string { return "/signalbox/" + d.Person.Key }

// attach makes the notes that have files, on the timelines of their contacts at the time of their messages. If an earlier try may have come
// through, the contact's notes are searched for it first.
func (p *portal) attach(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r, f := w.Request(i), w.File(i)
		record := ""
		var err error
		if w.Intended(i) || connector.Forgotten(r.delivery.Event) {
			record, err = p.bearing(ctx, r.contact, notes, noteBody, f.Key)
		}
		if err == nil && record == "" {
			record, err = p.make(ctx, notes, newRecord(noteOf(r, f), r.contact, noteToContact))
		}
		if err != nil {
			p.failed(ctx, w, i, err)
			return
		}
		w.Succeed(i, resultRecord, record)
	})
}

func noteOf(r Request, f *connector.File) map[string]string {
	e := r.delivery.Event
	return map[string]string{
		noteBody:       "<p>" + escape("File of a message by "+connector.ChannelLabel(e.Channel)+": "+f.Name, maxText/2) + "</p>" + marker(f.Key),
		"hs_timestamp": connector.Instant(e.Timestamp), attachments: r.file,
	}
}
