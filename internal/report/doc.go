// Package report is what operators are told of a tenant: who logged in and how, who
// set up an authenticator, what became of pushes, and which apps are in use.
//
// A report is a sequence of rows that are read as they are asked for, however many
// there are. Its types have the names that programs read in JSON; how people see
// them is left to the command line and the pages.
package report

import "iter"

// each returns a sequence of what rows are made into.
func each[T, R any](all iter.Seq2[T, error], row func(T) R) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for v, err := range all {
			var r R
			if err == nil {
				r = row(v)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
