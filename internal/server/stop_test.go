package server

import (
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// A server that was told to stop says so where load balancers ask, still serves, and
// ends each connection with its answer. (Tried without endConnections; without stopping
// in health.)
func TestQLT1_AServerThatStopsStillServes(t *testing.T) {
	c := found(t)
	c.StopDelay = "1s"
	s, stop := start(t, c)
	if status, header, _ := get(t, c.BaseURL+"/readyz"); status != http.StatusOK || header.Get("Connection") == "close" {
		t.Fatalf("before: %d, Connection %q", status, header.Get("Connection"))
	}
	began := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	for !s.stopping.Load() {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it does not stop")
		}
		time.Sleep(time.Millisecond)
	}
	if status, _, text := get(t, c.BaseURL+"/readyz"); status != http.StatusServiceUnavailable || text != "stopping\n" {
		t.Errorf("ready: %d %q, want 503 stopping", status, text)
	}
	res, err := http.Get(c.BaseURL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("healthz: %d, closing %v; want 200, closing", res.StatusCode, res.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it stopped after %v, want a second at least", took)
	}
}

// After refuseConnections, who is connected already is accepted, and who connects is
// not, as long as the listener is open. (Tried without the program: the second was
// connected.)
func TestQLT1_NewConnectionsAreIgnoredAtTheEnd(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	early, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if err := refuseConnections(l); err != nil {
		t.Fatal(err)
	}
	if late, err := net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond); err == nil {
		late.Close()
		t.Error("a new connection was made")
	}
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if _, err := early.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if n, err := served.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("what was sent before it was accepted: %d bytes, %v", n, err)
	}
}
