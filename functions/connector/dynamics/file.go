package dynamics

import (
	"context"
	"encoding/json"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// maxFile is how large a file an environment takes unless somebody allowed more: 5 MB as the settings count them.
const maxFile = 5 << 20

// MaxFile implements connector.FileTaker.
func (c *CRM) MaxFile() int { return maxFile }

// attach makes notes with files on the timelines of persons. A note's id follows from the file's, so that one that comes again is there.
func (e *environment) attach(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r, f := w.Request(i), w.File(i)
		id := idOf(f.Key)
		for _, who := range []string{r.Who, f.Shown[resultWho]} { // the second where a user deleted the first
			if setOf(who) == "" {
				continue
			}
			switch err := e.note(ctx, r, f, id, who); {
			case missing(err):
				continue
			case fault.Is(err, codePrivilege), fault.Is(err, codeForbidden):
				w.Succeed(i, connector.ResultLeft, connector.CodeFileForbidden)
			case err != nil && !exists(err):
				w.Fail(i, err)
			default:
				w.Succeed(i, connector.ResultFile, id)
			}
			return
		}
		w.Succeed(i, connector.ResultLeft, connector.CodeFileNoPerson)
	})
}

func (e *environment) note(ctx context.Context, r Request, f *connector.File, id, who string) error {
	data, err := f.Read(ctx)
	if err != nil {
		return err
	}
	label := connector.ChannelLabel(r.Delivery.Event.Channel)
	members, _ := json.Marshal(connector.Object{ // texts
		"subject", connector.Cut("File of a message by "+label, maxSubject), "filename", connector.Cut(f.Name, maxColumn), "mimetype", connector.Cut(f.Type, maxColumn),
		"objectid_" + objectOf(setOf(who)) + "@odata.bind", "/" + who,
	})
	p := fresh(notes+"("+id+")", nil)
	p.data = connector.WithBase64(members, "documentbody", data)
	return e.exchange(ctx, [][]part{{p}})[0][0].err
}

// idOf returns the id of a note, as RFC 9562 forms those that somebody chose: version 8.
func idOf(key string) string {
	h := key[:32]
	return h[:8] + "-" + h[8:12] + "-8" + h[13:16] + "-8" + h[17:20] + "-" + h[20:32]
}
