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

// Streams are the event streams that browsers and apps hold open (WHATWG HTML,
// server-sent events).
//
// A handler that waits keeps its request, its response and the buffers of both:
// some 40 KB. Thousands wait at once when a shift begins. A stream therefore
// takes its connection over from the HTTP server where it can (HTTP/1.1), and
// keeps nothing but the connection; by HTTP/2 it stays in its handler.
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

// Close ends every stream: give it to http.Server.RegisterOnShutdown. Browsers
// and apps open them anew, elsewhere.
func (s *Streams) Close() { s.end() }

// Wait waits until every stream has ended.
func (s *Streams) Wait() { s.open.Wait() }

// A Stream is one of them.
type Stream struct {
	// Context ends when the reader has left or the server shuts down.
	Context context.Context
	send    func(text string) error
}

// Send sends events, or a comment, and reports whether they left.
func (s *Stream) Send(text string) bool { return s.Context.Err() == nil && s.send(text) == nil }

// sendLimit is how long an event may take to leave: a reader that takes none is
// as good as gone.
const sendLimit = 15 * time.Second

// Serve answers with an event stream, of which run says what is in it and how
// long it lasts. It may return before run does; run must take nothing from the
// request.
func (s *Streams) Serve(w http.ResponseWriter, r *http.Request, run func(*Stream)) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // or nginx keeps the events to itself
	s.open.Add(1)
	control := http.NewResponseController(w)
	conn, _, err := control.Hijack()
	if err != nil {
		defer s.open.Done()
		s.inHandler(w, r, control, run)
		return
	}
	head := h.Clone()
	go func() {
		defer s.open.Done()
		defer conn.Close()
		s.onConnection(conn, head, run)
	}()
}

// inHandler streams by the handler's own response.
func (s *Streams) inHandler(w http.ResponseWriter, r *http.Request, control *http.ResponseController, run func(*Stream)) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	// The server's deadlines are meant for whole answers and would cut the
	// stream; each event has one of its own. Where there is none to set, there
	// is none to cut it.
	_ = control.SetReadDeadline(time.Time{})
	run(&Stream{Context: ctx, send: func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(sendLimit))
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return control.Flush()
	}})
}

// onConnection streams by a connection that nobody else knows any more.
func (s *Streams) onConnection(conn net.Conn, head http.Header, run func(*Stream)) {
	ctx, cancel := context.WithCancel(s.base)
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil { // no handler stands above that would
			s.log.ErrorContext(ctx, "panic", "route", "event stream", "cause", cause)
		}
	}()
	stream := &Stream{Context: ctx, send: func(text string) error {
		if err := conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
			return err
		}
		_, err := io.WriteString(conn, text)
		return err
	}}
	_ = conn.SetReadDeadline(time.Time{}) // of a request, which has been read; a connection that is closed shows below
	go func() {
		defer cancel()
		var b [1]byte
		_, _ = conn.Read(b[:]) // until the reader leaves; what says something on this way is none
	}()
	head.Set("Connection", "close") // the body ends with it
	head.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var text strings.Builder
	text.WriteString("HTTP/1.1 200 OK\r\n")
	_ = head.Write(&text) // a string takes all
	text.WriteString("\r\n")
	if stream.Send(text.String()) {
		run(stream)
	}
}
