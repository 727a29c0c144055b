package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
)

// links are those by which CRMs show files.
var links = regexp.MustCompile(`https://[^\s"'<>()\]]+/v1/media/[A-Za-z0-9._-]+`)

// inside is what a link says of a file that only its sender's own network has.
const inside = "does not lead to a public server"

// openFiles opens every file that a CRM shows by a link, as a rep's browser would, and writes what each is. The error says what does not open,
// but for files that nobody else reaches.
func (s *stage) openFiles(ctx context.Context, w io.Writer, c *local.Cloud) error {
	all, err := s.look(ctx)
	if err != nil {
		return err
	}
	shown := findLinks(all)
	if len(shown) == 0 {
		return errors.New("demo: no CRM shows a file")
	}
	_, _ = fmt.Fprintf(w, "\nFiles that people sent, opened by their links\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var wrong []error
	for link, crms := range shown {
		path, _ := strings.CutPrefix(link, c.PublicBaseURL)
		status, kind, body, err := open(ctx, c.Gateway+path)
		slices.Sort(crms)
		says := fmt.Sprintf("%s, %d bytes", kind, len(body))
		if status != http.StatusOK {
			says = strings.TrimSpace(string(body))
		}
		if err == nil && status != http.StatusOK && !strings.Contains(says, inside) {
			err = fmt.Errorf("demo: a file that %s show is answered %d: %s", strings.Join(crms, " and "), status, says)
		}
		wrong = append(wrong, err)
		_, _ = fmt.Fprintf(table, "  %s\t%d\t%s\n", strings.Join(crms, ", "), status, says)
	}
	return errors.Join(append(wrong, table.Flush())...)
}

// findLinks returns which CRMs have a link in their records.
func findLinks(all map[string][]samples.Record) map[string][]string {
	shown := map[string][]string{}
	for crm, records := range all {
		for _, r := range records {
			for _, value := range r.Properties {
				for _, link := range links.FindAllString(value, -1) {
					if !slices.Contains(shown[link], crm) {
						shown[link] = append(shown[link], crm)
					}
				}
			}
		}
	}
	return shown
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
