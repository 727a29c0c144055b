// Package race tells tests whether the race detector runs. It takes many times longer, so that what repeats one thing very often, for the
// sake of what is done and not of who does it at once, is done less often under it. What asks is run without it, too: make test does.
package race
