// Package architecture holds the rules of the tree as tests: who may import whom, where code lives, and what the template
// must say about every function, queue and table. A rule that is only prose rots; these fail, and say what to do.
package architecture
