package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"signalbox/shared/dev/samples"
)

// links are those by which CRMs show files.
var links = regexp.MustCompile(`https://[^\s"'<>()\]]+/v1/media/[A-Za-z0-9._-]+`)

// openFiles opens the files of all samples by the links that each CRM shows, as a rep's browser would, and writes what they are. The error says
// what does not open, and what is not the file that its provider has.
func (s *Sent) openFiles(ctx context.Context, w io.Writer, served samples.Files, at samples.Target) error {
	_, _ = fmt.Fprintf(w, "\nFiles that people sent, opened from the store by the links that CRMs show, and compared with what their providers have\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	s.opened = map[string]int{}
	var wrong []error
	for _, r := range s.reports {
		var want []string
		for _, f := range s.attached(r.Sample.Name) {
			want = append(want, served.Digest(f.URL))
		}
		if len(want) == 0 {
			continue
		}
		slices.Sort(want)
		good, says, crms := true, []string(nil), slices.Sorted(maps.Keys(at.CRMs))
		for _, crm := range crms {
			digests, kinds, err := openAll(ctx, at, r.Held[crm])
			if err == nil && !slices.Equal(digests, want) {
				err = fmt.Errorf("%d files open, and they are not the %d that the provider has", len(digests), len(want))
			}
			if err != nil {
				good, wrong = false, append(wrong, fmt.Errorf("demo: %s in %s: %w", r.Sample.Name, crm, err))
			}
			says = kinds
		}
		if good {
			s.opened[r.Sample.Provider()] += len(want)
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", r.Sample.Name, strings.Join(crms, ", "), strings.Join(says, "; "))
	}
	return errors.Join(append(wrong, table.Flush())...)
}

// findFiles looks for files in the CRMs themselves, where the line of one sample wants them, and writes how many there are. The error says which CRM
// has none, or has what no sample's provider does.
func (s *Sent) findFiles(ctx context.Context, w io.Writer, served samples.Files, at samples.Target) error {
	ctx, cancel := context.WithTimeout(ctx, scenePatience)
	defer cancel()
	sent := map[string]bool{}
	for _, r := range s.reports {
		for _, f := range s.attached(r.Sample.Name) {
			sent[served.Digest(f.URL)] = true
		}
	}
	var says []string
	var wrong []error
	for _, crm := range slices.Sorted(maps.Keys(at.CRMs)) {
		place := at.CRMs[crm].Files
		held, err := s.Client.Records(ctx, crm, place.Object)
		for ; err == nil && len(held) == 0 && ctx.Err() == nil; wait(ctx) {
			held, err = s.Client.Records(ctx, crm, place.Object)
		}
		if err == nil && len(held) == 0 {
			err = errors.New("there is no file")
		}
		for _, r := range held {
			body, decoding := base64.StdEncoding.DecodeString(r.Properties[place.Text])
			if sum := sha256.Sum256(body); decoding != nil || !sent[hex.EncodeToString(sum[:])] {
				err = fmt.Errorf("%s is no file that a provider has", r.ID)
			}
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("demo: files in %s: %w", crm, err))
		}
		says = append(says, fmt.Sprintf("%s %d", crm, len(held)))
	}
	_, _ = fmt.Fprintf(w, "\nFiles in the CRMs themselves, of a line with files: crm\n  %s\n", strings.Join(says, ", "))
	return errors.Join(wrong...)
}

// openAll opens what a CRM's records of a message link to, and returns the digests in their order, and what is said of each.
func openAll(ctx context.Context, at samples.Target, held []samples.Record) (digests, says []string, err error) {
	for _, link := range findLinks(held) {
		path, ours := strings.CutPrefix(link, at.PublicBaseURL)
		if !ours {
			return nil, nil, fmt.Errorf("a link leads elsewhere: %s", link)
		}
		status, kind, body, err := open(ctx, at.Gateway+path)
		if err != nil {
			return nil, nil, err
		}
		if status != http.StatusOK {
			return nil, nil, fmt.Errorf("a link is answered %d: %s", status, strings.TrimSpace(string(body)))
		}
		sum := sha256.Sum256(body)
		digests = append(digests, hex.EncodeToString(sum[:]))
		says = append(says, fmt.Sprintf("%s, %d bytes", kind, len(body)))
	}
	slices.Sort(digests)
	return digests, says, nil
}

// findLinks returns the links in records, each once.
func findLinks(held []samples.Record) (found []string) {
	for _, r := range held {
		for _, value := range r.Properties {
			found = append(found, links.FindAllString(value, -1)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func open(ctx context.Context, address string) (status int, kind string, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, "", nil, fmt.Errorf("demo: %w", err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", nil, fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err = io.ReadAll(reply.Body)
	return reply.StatusCode, reply.Header.Get("Content-Type"), body, err
}
