package server

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// refuseConnections has a listener ignore new connections, while those that were begun
// before are established and accepted. When a listener is closed, the system resets
// what waits to be accepted, though its clients have sent their requests already; so
// nothing may wait then. A client whose first segment is ignored sends it again after a
// second, and is refused by the closed port.
//
// It is a classic BPF program on the listening socket, which sees segments from their
// TCP header on: of those with SYN and without ACK nothing is let through (RFC 9293,
// section 3.1, has the flags in byte 13).
func refuseConnections(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return errors.New("the listener is not TCP's")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	const flags, syn, ack = 13, 0x02, 0x10
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 18},
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptSockFprog(int(fd), syscall.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	return errors.Join(err, set)
}
