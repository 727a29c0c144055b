package bench

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTheBillOfTheCapacityPage holds the page's table against the committed run and the price list: no figure of it is by hand.
func TestTheBillOfTheCapacityPage(t *testing.T) {
	docs := filepath.Join("..", "..", "docs")
	run, err := Read(filepath.Join(docs, "bench", "run.json"))
	if err != nil || run == nil {
		t.Fatal(run, err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "capacity.md"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := readPrices()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]Row{}
	for _, row := range run.Rows {
		rows[row.Name] = row
	}
	value := func(name string) float64 {
		row, ok := rows[name]
		if !ok {
			t.Fatalf("the run has no row %q", name)
		}
		return row.Value
	}
	const whole = "whole bill per million, batch of one, "
	var alone []string // "<crm> alone"
	for _, row := range run.Rows {
		if name, ok := strings.CutPrefix(row.Name, whole); ok {
			alone = append(alone, name)
		}
	}
	if len(alone) == 0 {
		t.Fatal("the run has no CRM")
	}
	crm := alone[0]
	var tens, calls float64
	if _, err := fmt.Sscanf(rows["AWS calls, batches of ten, "+crm].Note, "%f SQS, %f DynamoDB", &tens, &calls); err != nil {
		t.Fatal(err)
	}
	var single float64
	if _, err := fmt.Sscanf(rows["AWS calls, batch of one, "+crm].Note, "%f SQS, %f DynamoDB", &single, &calls); err != nil {
		t.Fatal(err)
	}
	same := func(name string) [2]float64 { return [2]float64{value(name), value(name)} }
	sums := [2]float64{}
	for label, c := range map[string]struct {
		used  [2]float64
		price string
	}{
		"API Gateway, HTTP API requests": {[2]float64{1, 1}, "httpApiRequest"},
		"Lambda, invocations":            {[2]float64{value("invocations, batch of one, " + crm), value("invocations, batches of ten, " + crm)}, "lambdaRequest"},
		"SQS FIFO, requests":             {[2]float64{single, tens}, "sqsFifoRequest"},
		"DynamoDB, write units":          {same("write units, " + crm), "dynamoDBWriteUnit"},
		"DynamoDB, read units":           {same("read units, " + crm), "dynamoDBReadUnit"},
		"KMS, requests":                  {same("KMS calls, " + crm), "kmsRequest"},
		"Secrets Manager, calls":         {same("Secrets Manager calls, " + crm), "secretsManagerRequest"},
	} {
		cells := cellsOf(t, string(page), label)
		want := []float64{c.used[0], c.used[1], list.PerMillion[c.price].Price, list.million(c.price, c.used[0]), list.million(c.price, c.used[1])}
		sums[0], sums[1] = sums[0]+want[3], sums[1]+want[4]
		compareCells(t, label, cells, want)
	}
	charges := []float64{value("request charges per million, batch of one, " + crm), value("request charges per million, batches of ten, " + crm)}
	if math.Abs(sums[0]-charges[0]) > 0.001 || math.Abs(sums[1]-charges[1]) > 0.001 {
		t.Errorf("the rows add up to %v, the run has %v", sums, charges)
	}
	compareCells(t, "all requests", cellsOf(t, string(page), "**all requests**"), charges)
	for _, name := range alone {
		compareCells(t, name, cellsOf(t, strings.ToLower(string(page)), "to "+name),
			[]float64{value(whole + name), value("whole bill per million, batches of ten, " + name)})
	}
	for name, text := range map[string]string{
		"request charges per million more per further CRM": "Each further CRM adds $%.2f ",
		"fixed charges per month":                          "costs $%.2f a month with the 50 alarms",
	} {
		if want := fmt.Sprintf(text, value(name)); !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// cellsOf returns the figures of the table row that begins with label.
func cellsOf(t *testing.T, page, label string) []float64 {
	t.Helper()
	_, row, ok := strings.Cut(page, "\n| "+label+" |")
	if !ok {
		t.Fatalf("the page has no row %q", label)
	}
	row, _, _ = strings.Cut(row, "\n")
	var found []float64
	for cell := range strings.SplitSeq(row, "|") {
		if cell = strings.Trim(cell, " *$"); cell == "" {
			continue
		}
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			t.Fatalf("%s: %q is no figure", label, cell)
		}
		found = append(found, v)
	}
	return found
}

// compareCells compares figures as far as the page writes them, to half a cent.
func compareCells(t *testing.T, label string, got, want []float64) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range min(len(got), len(want)) {
		ok = ok && math.Abs(got[i]-want[i]) <= 0.005
	}
	if !ok {
		t.Errorf("%s: the page has %v, the run %v", label, got, want)
	}
}
