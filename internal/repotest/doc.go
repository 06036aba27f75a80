// Package repotest holds the laws of the house as tests: which package may import which, what stands at the top level, that every package
// explains itself, and what the exported API is. Each law has a reason, which is what a failure prints.
package repotest
