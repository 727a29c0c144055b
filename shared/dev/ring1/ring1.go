// Package ring1 holds the tests of the innermost of three rings, the whole pipeline as Go values: adapter, router and connector over the memory ports, the
// CRM simulator as an http.RoundTripper, in virtual time. Properties of order, crash, isolation and patience are shown here,
// where hours take milliseconds; the same functions as processes are ring 3's.
package ring1
