package static

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// A File is content that is compressed once and served many times.
type File struct {
	plain   []byte
	gzipped []byte // nil where it would be no smaller
}

// NewFile compresses content.
func NewFile(content []byte) File {
	f := File{plain: content}
	var b bytes.Buffer
	// No write to a buffer fails, and the level is one there is.
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(content)
	_ = w.Close()
	if b.Len() < len(content) {
		f.gzipped = b.Bytes()
	}
	return f
}

// Serve sends a file that may be cached for ever: changed content has another name.
// It is sent compressed to clients that accept that (RFC 9110, section 12.5.3).
// Nothing in it may be secret, or the compressed length could reveal it.
func (f File) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	content := f.plain
	if f.gzipped != nil && r.Header.Get("Range") == "" && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		content = f.gzipped
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reports whether gzip is named and its weight is not 0. Other weights
// are ignored: gzip is the only coding there is.
func acceptsGzip(accepted []string) bool {
	for coding := range strings.SplitSeq(strings.Join(accepted, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, weighed := strings.Cut(weight, "=")
		return !weighed || strings.Trim(q, " 0.") != ""
	}
	return false
}
