//go:build race

package ring1

// raceEnabled says that the race detector runs, which takes many times longer.
const raceEnabled = true
