//go:build !linux

package server

import (
	"errors"
	"net"
)

// refuseConnections is for Linux alone.
func refuseConnections(net.Listener) error { return errors.ErrUnsupported }
