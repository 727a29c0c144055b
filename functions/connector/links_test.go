package connector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestLinksAreKeptWhenTheyAreNews(t *testing.T) {
	cases := map[string]struct {
		known string
		err   error
		want  []string
	}{
		"learned":       {want: []string{"demo t1_e toy 7"}},
		"known already": {known: "7"},
		"changed":       {known: "6", want: []string{"demo t1_e toy 7"}},
		"not kept":      {err: errors.New("store down"), want: []string{"demo t1_e toy 7"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "resolve", Last: true})
				p.links.err = c.err
				p.crm.do = func(context.Context, string, step) outcome { return result("contact", "7") }
				d := deliveryOf("e")
				if c.known != "" {
					d.Person.Links = map[string]string{"contact": c.known}
				}
				if got := words(p.connector().Handle(t.Context(), heads(d))); got != "done" {
					t.Error(got)
				}
				if diff := cmp.Diff(c.want, p.links.calls); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
