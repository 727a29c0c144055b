package gateway

import (
	"cmp"
	"slices"
	"strings"
)

// route is a template's route, taken apart.
type route struct {
	Target
	key      string // as API Gateway writes it: "POST /path", or "$default"
	segments []string
}

func newRoute(t Target) route {
	if t.Path == "" || t.Path == "$default" {
		return route{Target: t, key: "$default"}
	}
	return route{Target: t, key: t.Method + " " + t.Path, segments: strings.Split(strings.TrimPrefix(t.Path, "/"), "/")}
}

// Kinds of segment, best match first.
const (
	literal = iota
	parameter
	greedy
)

func kindOf(segment string) int {
	switch {
	case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "+}"):
		return greedy
	case strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}"):
		return parameter
	}
	return literal
}

// compare puts the route that API Gateway prefers first: a full match before a greedy one before the default, and of two the
// one that says more from the left. A method goes before ANY.
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html.
func compare(a, b route) int {
	if c := cmp.Compare(a.rank(), b.rank()); c != 0 {
		return c
	}
	for i := range min(len(a.segments), len(b.segments)) {
		if c := cmp.Compare(kindOf(a.segments[i]), kindOf(b.segments[i])); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(b.segments), len(a.segments)); c != 0 {
		return c
	}
	return cmp.Compare(catchAll(a.Method), catchAll(b.Method))
}

func catchAll(method string) int {
	if method == "ANY" {
		return 1
	}
	return 0
}

func (r route) rank() int {
	switch {
	case r.key == "$default":
		return 2
	case slices.ContainsFunc(r.segments, func(s string) bool { return kindOf(s) == greedy }):
		return 1
	}
	return 0
}

// match returns the path parameters, and whether the route takes the request.
func (r route) match(method, path string) (map[string]string, bool) {
	if r.key == "$default" {
		return nil, true
	}
	if r.Method != "ANY" && r.Method != method {
		return nil, false
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var parameters map[string]string
	set := func(segment, value string) {
		if parameters == nil {
			parameters = map[string]string{}
		}
		parameters[strings.Trim(segment, "{+}")] = value
	}
	for i, segment := range r.segments {
		switch {
		case i >= len(parts):
			return nil, false
		case kindOf(segment) == greedy:
			set(segment, strings.Join(parts[i:], "/"))
			return parameters, parts[i] != ""
		case kindOf(segment) == parameter && parts[i] != "":
			set(segment, parts[i])
		case segment != parts[i]:
			return nil, false
		}
	}
	return parameters, len(parts) == len(r.segments)
}
