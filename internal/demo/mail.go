package demo

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
)

// A Mail is a mail that the mail server accepted.
type Mail struct {
	ID        string    `json:"-"`
	MessageID string    `json:"-"`
	To        string    `json:"to"` // the envelope's recipients
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	HTML      string    `json:"html"` // empty if the mail has none
	At        time.Time `json:"at"`   // when it was accepted
}

// readMail reads the texts of a mail. Attachments and pictures are skipped:
// they are in the file.
func readMail(raw []byte) (Mail, error) {
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{To: parsed.Header.Get("Delivered-To"), MessageID: parsed.Header.Get("Message-Id")}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil {
		m.Subject = parsed.Header.Get("Subject") // in an unknown charset: undecoded
	}
	return m, m.read(parsed.Header, parsed.Body, 0)
}

// maxDepth is how deeply parts may be nested.
const maxDepth = 5

// read stores the text of a part, or of its parts. The first of each kind
// counts.
func (m *Mail) read(header interface{ Get(key string) string }, body io.Reader, depth int) error {
	kind := header.Get("Content-Type")
	if kind == "" {
		kind = "text/plain" // RFC 2045, section 5.2
	}
	kind, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		content, err := io.ReadAll(decodeTransfer(header.Get("Content-Transfer-Encoding"), body))
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		text := strings.ReplaceAll(strings.ToValidUTF8(string(content), "\uFFFD"), "\r\n", "\n")
		switch {
		case kind == "text/plain" && m.Text == "":
			m.Text = text
		case kind == "text/html" && m.HTML == "":
			m.HTML = text
		}
		return nil
	}
	if depth == maxDepth {
		return errors.New("parts lie too deep in parts")
	}
	parts := multipart.NewReader(body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("parts: %w", err)
		}
		if err := m.read(part.Header, part, depth+1); err != nil {
			return err
		}
	}
}

// decodeTransfer decodes a transfer encoding (RFC 2045, section 6).
func decodeTransfer(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}
