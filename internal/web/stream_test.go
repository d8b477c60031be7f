package web

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newStreamServer serves streams that send what comes on say, with either
// protocol.
func streaming(t *testing.T, http2 bool) (server *httptest.Server, streams *Streams, say chan string, left chan struct{}) {
	t.Helper()
	streams = NewStreams(slog.New(slog.NewTextHandler(t.Output(), nil)))
	say, left = make(chan string), make(chan struct{}, 1)
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		streams.Serve(w, r, func(s *Stream) {
			for {
				select {
				case text := <-say:
					if text == "panic" {
						panic("on purpose")
					}
					s.Send(text)
				case <-s.Context.Done():
					left <- struct{}{}
					return
				}
			}
		})
	}))
	server.Config.WriteTimeout, server.Config.ReadTimeout = time.Second, time.Second
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { streams.Close(); streams.Wait() })
	return server, streams, say, left
}

func protocols(t *testing.T, f func(t *testing.T, http2 bool)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) { f(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, true) })
}

func listen(t *testing.T, server *httptest.Server) (res *http.Response, lines *bufio.Reader, leave context.CancelFunc) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err = server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(); res.Body.Close() })
	return res, bufio.NewReader(res.Body), leave
}

// A stream lasts longer than a response may take, has its media type and the
// headers of every response, and ends when the client disconnects.
func TestStream(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		server, _, say, left := streaming(t, http2)
		go func() { say <- "data: one\n\n" }()
		res, lines, leave := listen(t, server)
		for name, want := range map[string]string{"Content-Type": "text/event-stream", "Content-Security-Policy": "default-src 'none'", "X-Accel-Buffering": "no"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if res.ProtoMajor == 2 != http2 {
			t.Fatalf("by %s", res.Proto)
		}
		hear := func(want string) {
			t.Helper()
			if got, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(got) != want {
				t.Fatalf("heard %q, %v; want %q", got, err, want)
			}
			lines.ReadString('\n')
		}
		hear("data: one")
		time.Sleep(1500 * time.Millisecond) // longer than the server's deadlines
		say <- "data: two\n\n"
		hear("data: two")
		leave()
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Error("it was not heard that the reader left")
		}
	})
}

// Streams end with the server, which can wait for their end.
func TestStreamsEndWithTheServer(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		server, streams, say, _ := streaming(t, http2)
		go func() { say <- ": here\n\n" }()
		_, lines, _ := listen(t, server)
		first, _ := lines.ReadString('\n')
		streams.Close()
		streams.Wait()
		if all, err := io.ReadAll(lines); err != nil || first+string(all) != ": here\n\n" {
			t.Errorf("read %q, %v", all, err)
		}
	})
}

// A panic ends the stream, not the server.
func TestStreamPanics(t *testing.T) {
	server, _, say, _ := streaming(t, false)
	go func() { say <- ": here\n\n" }()
	_, lines, _ := listen(t, server)
	say <- "panic"
	if all, err := io.ReadAll(lines); err != nil || string(all) != ": here\n\n" {
		t.Errorf("read %q, %v", all, err)
	}
	go func() { say <- ": again\n\n" }()
	if _, lines, _ := listen(t, server); lines != nil {
		if got, err := lines.ReadString('\n'); err != nil || got != ": again\n" {
			t.Errorf("read %q, %v", got, err)
		}
	}
}
