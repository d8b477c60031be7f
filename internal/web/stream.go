package web

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Streams are the open event streams of browsers and apps (WHATWG HTML,
// server-sent events).
//
// A handler that waits keeps its request, its response and the buffers of both
// in memory: some 40 KB. Thousands wait at once when a shift begins. With
// HTTP/1.1 a stream therefore takes over its connection from the server, and
// keeps only that; with HTTP/2 it stays in its handler.
type Streams struct {
	log  *slog.Logger
	base context.Context // ends with Close
	end  context.CancelFunc
	open sync.WaitGroup
}

// NewStreams returns an empty set of streams.
func NewStreams(log *slog.Logger) *Streams {
	s := &Streams{log: log}
	s.base, s.end = context.WithCancel(context.Background())
	return s
}

// Close ends all streams. It is passed to http.Server.RegisterOnShutdown.
// Browsers and apps reconnect, to another node.
func (s *Streams) Close() { s.end() }

// Wait waits until every stream has ended.
func (s *Streams) Wait() { s.open.Wait() }

// A Stream is an event stream to one client.
type Stream struct {
	// Context ends when the client has disconnected or the server shuts down.
	Context context.Context
	send    func(text string) error
}

// Send sends events, or a comment, and reports whether they were written.
func (s *Stream) Send(text string) bool { return s.Context.Err() == nil && s.send(text) == nil }

// sendTimeout is how long writing an event may take: a client that reads
// nothing for so long counts as disconnected.
const sendTimeout = 15 * time.Second

// Serve answers with an event stream. run sends its events, and the stream ends
// when run returns. Serve may return before run does, so run must not use the
// request.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, run func(*Stream)) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would buffer the events
	s.open.Add(1)
	control := http.NewResponseController(w)
	conn, _, err := control.Hijack()
	if err != nil {
		defer s.open.Done()
		s.serveInHandler(w, r, control, run)
		return
	}
	head := h.Clone()
	go func() {
		defer s.open.Done()
		defer conn.Close()
		s.serveOnConnection(conn, head, run)
	}()
}

// serveInHandler streams in the handler's response.
func (s *Streams) serveInHandler(w http.ResponseWriter, r *http.Request, control *http.ResponseController, run func(*Stream)) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	// The server's deadlines are for whole responses and would end the stream,
	// so each event has its own. An error means that deadlines are not
	// supported, and none ends the stream.
	_ = control.SetReadDeadline(time.Time{})
	run(&Stream{Context: ctx, send: func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return control.Flush()
	}})
}

// serveOnConnection streams on a connection that was taken over from the
// server.
func (s *Streams) serveOnConnection(conn net.Conn, head http.Header, run func(*Stream)) {
	ctx, cancel := context.WithCancel(s.base)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil { // there is no handler above that would
			s.log.ErrorContext(ctx, "panic", "route", "event stream", "cause", cause)
		}
	}()
	stream := &Stream{Context: ctx, send: func(text string) error {
		if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
			return err
		}
		_, err := io.WriteString(conn, text)
		return err
	}}
	_ = conn.SetReadDeadline(time.Time{}) // the deadline was for reading the request; a closed connection is noticed below
	go func() {
		defer cancel()
		var b [1]byte
		_, _ = conn.Read(b[:]) // returns when the client disconnects; it must not send anything more
	}()
	head.Set("Connection", "close") // the end of the connection ends the body
	head.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var text strings.Builder
	text.WriteString("HTTP/1.1 200 OK\r\n")
	_ = head.Write(&text) // writing to a strings.Builder never fails
	text.WriteString("\r\n")
	if stream.Send(text.String()) {
		run(stream)
	}
}
