//go:build !linux

package store

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing: keep-alives and deadlines have to do without it.
func setUserTimeout(string, syscall.RawConn, time.Duration) error { return nil }
