package consent_test

import (
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
)

// day returns a day of which the tables speak, from 1, before the law's revoke-all.
func day(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }

// said returns a mark: of messaging, by SMS, unless something else is said.
func said(state string, at time.Time, change ...func(*consent.Mark)) consent.Mark {
	m := consent.Mark{
		State: state, Channel: canonical.SMS, Line: "sales", Purpose: consent.Messaging, At: at, Source: consent.SourceKeyword,
		EventID: canonical.EventID(state + at.Format(time.RFC3339)),
	}
	for _, c := range change {
		c(&m)
	}
	return m
}

func on(c canonical.Channel) func(*consent.Mark) { return func(m *consent.Mark) { m.Channel = c } }
func to(line string) func(*consent.Mark)         { return func(m *consent.Mark) { m.Line = line } }
func marketing(m *consent.Mark)                  { m.Purpose = consent.Marketing }

func ledger(marks ...consent.Mark) consent.Ledger {
	var l consent.Ledger
	for _, m := range marks {
		l, _ = l.Add(m)
	}
	return l
}

// TestTheLaw has a sentence and its source a row.
func TestTheLaw(t *testing.T) {
	t.Parallel()
	const (
		out, in, pending = consent.OptedOut, consent.OptedIn, consent.Pending
		rule             = "47 CFR 64.1200(a)(10), in force since 2025-04-11"
		revokeAll        = "47 CFR 64.1200(a)(10), last sentences, postponed to 2027-01-31"
		written          = "47 CFR 64.1200(a)(2) and (f)(9)"
		twilio           = "Twilio, changelog of 2026-03-16: RCS, SMS and MMS share one state"
		meta             = "Meta, error 131050 and the webhook user_preferences"
		ours             = "this product's own rule"
	)
	sms, brands := consent.Question{Channel: canonical.SMS, Line: "sales", Purpose: consent.Messaging}, map[string]string{"sales": "a", "service": "a", "other": "b"}
	asked := func(change func(*consent.Question)) consent.Question { q := sms; change(&q); return q }
	whatsapp := asked(func(q *consent.Question) { q.Channel = canonical.WhatsApp })
	rcs := asked(func(q *consent.Question) { q.Channel = canonical.RCS })
	advertising := asked(func(q *consent.Question) { q.Purpose = consent.Marketing })
	service := asked(func(q *consent.Question) { q.Line = "service" })
	other := asked(func(q *consent.Question) { q.Line = "other" })
	after := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	scoped := func(scope string) consent.Policy {
		p := consent.DefaultPolicy()
		p.Scope, p.Brands = scope, brands
		return p
	}
	apart := consent.DefaultPolicy()
	apart.Families = nil
	for sentence, row := range map[string]struct {
		source          string
		policy          consent.Policy
		address, person consent.Ledger
		question        consent.Question
		want            consent.Verdict
		why             string
	}{
		"whoever says stop is sent nothing": {
			rule, scoped(""), ledger(said(out, day(1))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"a stop ends what was agreed to before": {
			rule, scoped(""), ledger(said(in, day(1)), said(out, day(2))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"a stop ends advertising with everything else": {
			rule, scoped(""), ledger(said(in, day(1), marketing), said(out, day(2))), nil, advertising, consent.Denied, consent.WhyStopped,
		},
		"who starts again may be sent to again": {
			"Twilio, Telnyx and AWS: START and UNSTOP", scoped(""), ledger(said(out, day(1)), said(in, day(2))), nil, sms, consent.Allowed, consent.WhyStarted,
		},
		"a start that was made before the stop and arrives after it opens nothing": {
			ours, scoped(""), ledger(said(out, day(2)), said(in, day(1))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"of a stop and a start at one instant the stop holds": {
			ours, scoped(""), ledger(said(in, day(1)), said(out, day(1))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"nobody who was never asked is advertised to": {
			written, scoped(""), nil, nil, advertising, consent.Unknown, consent.WhyNever,
		},
		"whoever wrote first may be answered, which is all that unknown allows": {
			ours, scoped(""), nil, nil, sms, consent.Unknown, consent.WhyNever,
		},
		"consent to messages is none to advertising": {
			written, scoped(""), ledger(said(in, day(1))), nil, advertising, consent.Unknown, consent.WhyNever,
		},
		"consent to advertising in writing allows it": {
			written, scoped(""), ledger(said(in, day(1), marketing)), nil, advertising, consent.Allowed, consent.WhyStarted,
		},
		"who was asked and has not answered has not agreed": {
			written, scoped(""), ledger(said(pending, day(1))), nil, sms, consent.Unknown, consent.WhyPending,
		},
		"to ask somebody who stopped opens nothing": {
			rule, scoped(""), ledger(said(out, day(1)), said(pending, day(2))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"a stop by RCS ends SMS": {
			twilio, scoped(""), ledger(said(out, day(1), on(canonical.RCS))), nil, sms, consent.Denied, consent.WhyStopped,
		},
		"a start by SMS opens RCS": {
			twilio, scoped(""), ledger(said(out, day(1), on(canonical.RCS)), said(in, day(2))), nil, rcs, consent.Allowed, consent.WhyStarted,
		},
		"a stop by SMS says nothing about WhatsApp": {
			ours, scoped(""), ledger(said(out, day(1))), nil, whatsapp, consent.Unknown, consent.WhyNever,
		},
		"a tenant may keep RCS and SMS apart": {
			ours, apart, ledger(said(out, day(1), on(canonical.RCS))), nil, sms, consent.Unknown, consent.WhyNever,
		},
		"who wants no advertising still gets what they need": {
			meta, scoped(""), ledger(said(in, day(1)), said(out, day(2), marketing)), nil, sms, consent.Allowed, consent.WhyStarted,
		},
		"who wants no advertising gets none": {
			meta, scoped(""), ledger(said(in, day(1), marketing), said(out, day(2), marketing)), nil, advertising, consent.Denied, consent.WhyStopped,
		},
		"who starts messages again has not asked for advertising": {
			meta, scoped(""), ledger(said(out, day(1), marketing), said(in, day(2))), nil, advertising, consent.Denied, consent.WhyStopped,
		},
		"a stop to one line closes all lines of the tenant": {
			ours, scoped(consent.ScopeTenant), ledger(said(out, day(1))), nil, other, consent.Denied, consent.WhyStopped,
		},
		"until revoke-all a stop may end one brand only": {
			revokeAll, scoped(consent.ScopeBrand), ledger(said(out, day(1))), nil, other, consent.Unknown, consent.WhyNever,
		},
		"a stop to one brand ends all of its lines": {
			revokeAll, scoped(consent.ScopeBrand), ledger(said(out, day(1))), nil, service, consent.Denied, consent.WhyStopped,
		},
		"until revoke-all a stop may end one line only": {
			revokeAll, scoped(consent.ScopeLine), ledger(said(out, day(1))), nil, service, consent.Unknown, consent.WhyNever,
		},
		"from revoke-all on a stop ends everything": {
			revokeAll, scoped(consent.ScopeLine), ledger(said(out, after)), nil, other, consent.Denied, consent.WhyStopped,
		},
		"a day before it does not": {
			revokeAll, scoped(consent.ScopeLine), ledger(said(out, after.Add(-time.Millisecond))), nil, other, consent.Unknown, consent.WhyNever,
		},
		"a stop to a line that was removed closes the brands that are left": {
			ours, scoped(consent.ScopeBrand), ledger(said(out, day(1), to("gone"))), nil, other, consent.Denied, consent.WhyStopped,
		},
		"a start to a line that was removed opens none of them": {
			ours, scoped(consent.ScopeBrand), ledger(said(in, day(1), to("gone"))), nil, other, consent.Unknown, consent.WhyNever,
		},
		"a start to one line opens no other brand": {
			ours, scoped(consent.ScopeBrand), ledger(said(out, day(1), to("")), said(in, day(2))), nil, other, consent.Denied, consent.WhyStopped,
		},
		"who stops at one number is not written to at another": {
			ours, scoped(""), nil, ledger(said(out, day(1))), sms, consent.Denied, consent.WhyElsewhere,
		},
		"a start opens the number that it came from": {
			ours, scoped(""), ledger(said(in, day(2))), ledger(said(out, day(1))), sms, consent.Allowed, consent.WhyStarted,
		},
		"and no other": {
			ours, scoped(""), nil, ledger(said(out, day(1)), said(in, day(2))), sms, consent.Denied, consent.WhyElsewhere,
		},
		"a stop at another number is of its channels only": {
			ours, scoped(""), nil, ledger(said(out, day(1))), whatsapp, consent.Unknown, consent.WhyNever,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if got := row.policy.May(row.address, row.person, row.question); got.Verdict != row.want || got.Why != row.why {
				t.Errorf("%s, since %s; want %s, %s (%s)", got.Verdict, got.Why, row.want, row.why, row.source)
			}
		})
	}
}

func TestAYesOpensOnlyWhatIsPending(t *testing.T) {
	t.Parallel()
	p, q := consent.DefaultPolicy(), consent.Question{Channel: canonical.RCS, Line: "sales", Purpose: consent.Messaging}
	asked := said(consent.Pending, day(10))
	for name, tt := range map[string]struct {
		held consent.Ledger
		at   time.Time
		want bool
	}{
		"nobody asked":                 {nil, day(10), false},
		"they were asked":              {ledger(asked), day(10), true},
		"within a week":                {ledger(asked), day(17), true},
		"a week is over":               {ledger(asked), day(17).Add(time.Millisecond), false},
		"before they were asked":       {ledger(asked), day(9), false},
		"asked after a stop":           {ledger(said(consent.OptedOut, day(9)), asked), day(11), true},
		"stopped after they were":      {ledger(said(consent.OptedOut, day(11)), asked), day(12), false},
		"stopped at the same instant":  {ledger(said(consent.OptedOut, day(10)), asked), day(12), false},
		"asked on a channel elsewhere": {ledger(said(consent.Pending, day(10), on(canonical.WhatsApp))), day(10), false},
		"asked about advertising":      {ledger(said(consent.Pending, day(10), marketing)), day(10), false},
	} {
		if got := p.Pending(tt.held, q, tt.at); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
