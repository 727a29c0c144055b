// Package config reads the environment of a function once, at start, and says everything that is wrong with it in one
// error, so that a misconfigured deployment is mended in one round. Only entry points and shared/aws use it: what they read
// is handed on as values.
package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reader reads variables and remembers which were missing or invalid. It is for one goroutine.
type Reader struct {
	lookup   func(string) (string, bool)
	problems []string
}

// New returns a Reader over lookup, os.LookupEnv in production.
func New(lookup func(string) (string, bool)) *Reader { return &Reader{lookup: lookup} }

// String returns a variable that must be set to something other than blanks; "" when it is not.
func (r *Reader) String(name string) string {
	value, ok := r.lookup(name)
	if !ok || strings.TrimSpace(value) == "" {
		r.problem(name + " is not set")
		return ""
	}
	return value
}

// Optional returns a variable, or def when it is not set or blank.
func (r *Reader) Optional(name, def string) string {
	value, ok := r.lookup(name)
	if !ok || strings.TrimSpace(value) == "" {
		return def
	}
	return value
}

// List returns the names that a variable holds, separated by commas. It must be set, and hold each name once.
func (r *Reader) List(name string) []string {
	value := r.String(name)
	if value == "" {
		return nil
	}
	names := strings.Split(value, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		if names[i] == "" || slices.Contains(names[:i], names[i]) {
			r.problem(name + " is not a list of different names separated by commas")
			return nil
		}
	}
	return names
}

// maxDuration bounds a duration so that it neither overflows nor hides a typing error: ten years.
const maxDuration = 10 * 365 * 24 * time.Hour

// Seconds returns a time given in whole or fractional seconds above zero. It must be set.
func (r *Reader) Seconds(name string) time.Duration {
	value := r.String(name)
	if value == "" {
		return 0
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds > maxDuration.Seconds() {
		r.problem(name + " is not a number of seconds above zero")
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// Int returns a whole number, or def when the variable is not set.
func (r *Reader) Int(name string, def int) int {
	value := r.Optional(name, "")
	if value == "" {
		return def
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		r.problem(name + " is not a whole number")
		return def
	}
	return n
}

// problem remembers what is wrong with a variable, once however often it is read.
func (r *Reader) problem(text string) {
	if !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

// Err returns one error that lists every missing or invalid variable read so far by name, without its value; nil when
// there is none.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %w", errors.New(strings.Join(r.problems, "; ")))
}
