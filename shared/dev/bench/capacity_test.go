package bench

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the figures of the committed run into the capacity page")

// TestTheBillOfTheCapacityPage holds what the page says of charges against the committed run and the price list: no figure of it is by hand.
func TestTheBillOfTheCapacityPage(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	run, err := Read(filepath.Join(docs, "bench", "run.json"))
	if err != nil || run == nil {
		t.Fatal(run, err)
	}
	list, err := readPrices()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(docs, "capacity.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := string(data)
	want, err := billed(got, run, list)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	lines := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(lines) || line != lines[i] {
			t.Fatalf("line %d of the page is not what the run says; go test ./shared/dev/bench -run CapacityPage -update writes it:\n%s\nwant\n%s",
				i+1, line, lines[min(i, len(lines)-1)])
		}
	}
}

// TestACRMThatTheCapacityPageLacksGetsItsRow as -update does when the first run with it is committed.
func TestACRMThatTheCapacityPageLacksGetsItsRow(t *testing.T) {
	const table = "\n| a million messages | one at a time | in tens |\n|---|---|---|\n"
	page := bill(table+"| to HubSpot alone | $1.00 | $1.00 |\n\nafter", "hubspot", 12.375, 6.364)
	page = bill(page, "dynamics", 11, 6)
	if want := table + "| to HubSpot alone | $12.38 | $6.36 |\n| to Dynamics alone | $11.00 | $6.00 |\n\nafter"; page != want {
		t.Errorf("%s\nwant\n%s", page, want)
	}
}

const wholeBills = "whole bill per million, batch of one, "

// billed returns the page with the figures of a run.
func billed(page string, run *Report, list *prices) (string, error) {
	rows := map[string]Row{}
	var alone []string // "<crm> alone"
	for _, row := range run.Rows {
		rows[row.Name] = row
		if name, ok := strings.CutPrefix(row.Name, wholeBills); ok {
			alone = append(alone, name)
		}
	}
	if len(alone) == 0 {
		return "", errors.New("the run has no CRM")
	}
	page, err := charged(page, rows, list, alone[0])
	if err != nil {
		return "", err
	}
	for _, name := range alone {
		page = bill(page, strings.TrimSuffix(name, " alone"), rows[wholeBills+name].Value, rows["whole bill per million, batches of ten, "+name].Value)
	}
	fixed := rows["fixed charges per month"]
	var alarms, keys, secrets, polls, mappings int
	if _, err := fmt.Sscanf(fixed.Note, "%d alarms, %d key, %d secret, %d empty receives of %d mappings", &alarms, &keys, &secrets, &polls, &mappings); err != nil {
		return "", fmt.Errorf("the note of the fixed charges: %w", err)
	}
	for pattern, text := range map[string]string{
		`Each further CRM adds \$\d+\.\d\d `:            fmt.Sprintf("Each further CRM adds $%.2f ", rows["request charges per million more per further CRM"].Value),
		`costs \$\d+\.\d\d a month with the \d+ alarms`: fmt.Sprintf("costs $%.2f a month with the %d alarms", fixed.Value, alarms),
		`the empty receives of \d+ queue mappings`:      fmt.Sprintf("the empty receives of %d queue mappings", mappings),
	} {
		said := regexp.MustCompile(pattern)
		if !said.MatchString(page) {
			return "", fmt.Errorf("the page says nothing like %q", pattern)
		}
		page = said.ReplaceAllLiteralString(page, text)
	}
	return page, nil
}

// charged returns the page with the table of what a message to one CRM uses, and of what that is charged with.
func charged(page string, rows map[string]Row, list *prices, crm string) (string, error) {
	var sqs, store, read [2]float64
	for i, name := range []string{"AWS calls, batch of one, ", "AWS calls, batches of ten, "} {
		if _, err := fmt.Sscanf(rows[name+crm].Note, "%f SQS, %f DynamoDB", &sqs[i], &store[i]); err != nil {
			return "", fmt.Errorf("the note of %s%s: %w", name, crm, err)
		}
	}
	read[0] = rows["read units, "+crm].Value
	if _, err := fmt.Sscanf(rows["read units, "+crm].Note, "%f in batches of ten", &read[1]); err != nil {
		read[1] = read[0] // a run before the note was
	}
	same := func(name string) [2]float64 { return [2]float64{rows[name+crm].Value, rows[name+crm].Value} }
	sums := [2]float64{}
	for _, c := range []struct {
		label, price string
		used         [2]float64
	}{
		{"API Gateway, HTTP API requests", "httpApiRequest", [2]float64{1, 1}},
		{"Lambda, invocations", "lambdaRequest", [2]float64{rows["invocations, batch of one, "+crm].Value, rows["invocations, batches of ten, "+crm].Value}},
		{"SQS FIFO, requests", "sqsFifoRequest", sqs},
		{"DynamoDB, write units", "dynamoDBWriteUnit", same("write units, ")},
		{"DynamoDB, read units", "dynamoDBReadUnit", read},
		{"KMS, requests", "kmsRequest", same("KMS calls, ")},
		{"Secrets Manager, calls", "secretsManagerRequest", same("Secrets Manager calls, ")},
	} {
		one, tens := list.million(c.price, c.used[0]), list.million(c.price, c.used[1])
		sums[0], sums[1] = sums[0]+one, sums[1]+tens
		page = rewritten(page, "| "+c.label+" |", fmt.Sprintf(" %s | %s | $%s | $%.3f | $%.3f |", short(c.used[0]), short(c.used[1]), dollars(list.PerMillion[c.price].Price), one, tens))
	}
	charges := [2]float64{rows["request charges per million, batch of one, "+crm].Value, rows["request charges per million, batches of ten, "+crm].Value}
	if math.Abs(sums[0]-charges[0]) > 0.001 || math.Abs(sums[1]-charges[1]) > 0.001 {
		return "", fmt.Errorf("the rows add up to %v, the run has %v", sums, charges)
	}
	return rewritten(page, "| **all requests** |", fmt.Sprintf(" | | | **$%.3f** | **$%.3f** |", charges[0], charges[1])), nil
}

// bill returns the page with what a million messages to a CRM cost: below the rows of others if it has no row of its own.
func bill(page, crm string, one, tens float64) string {
	cells := fmt.Sprintf(" $%.2f | $%.2f |", one, tens)
	if own := regexp.MustCompile(`(?im)^\| to ` + regexp.QuoteMeta(crm) + ` alone \|`).FindString(page); own != "" {
		return rewritten(page, own, cells)
	}
	all := regexp.MustCompile(`(?m)^\| to \w+ alone \|.*\n`).FindAllStringIndex(page, -1)
	end := all[len(all)-1][1]
	return page[:end] + "| to " + strings.ToUpper(crm[:1]) + crm[1:] + " alone |" + cells + "\n" + page[end:]
}

// rewritten returns the page with these cells behind what its row begins with.
func rewritten(page, begins, cells string) string {
	before, after, found := strings.Cut(page, "\n"+begins)
	if !found {
		return page + "\n" + begins + cells // where no row of it is
	}
	_, rest, _ := strings.Cut(after, "\n")
	return before + "\n" + begins + cells + "\n" + rest
}

func short(v float64) string { return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64) }

// dollars returns a price with at least its cents.
func dollars(v float64) string {
	if text := strconv.FormatFloat(v, 'f', -1, 64); len(text) > len(fmt.Sprintf("%.2f", v)) {
		return text
	}
	return fmt.Sprintf("%.2f", v)
}
