package idp

import (
	"fmt"
	"strings"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/latchkey-id/latchkey/templates"
)

// qr draws text as a QR code: one path of unit squares, for an inline SVG that
// is crisp at any size and, being part of a no-store page, is kept nowhere.
func qr(text string) (templates.QR, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return templates.QR{}, fmt.Errorf("idp: QR code: %w", err)
	}
	code.DisableBorder = true
	rows := code.Bitmap()
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			width := 0
			for x+width < len(row) && row[x+width] {
				width++
			}
			if width > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", x, y, width, width)
				x += width
			}
		}
	}
	return templates.QR{Path: path.String(), Size: len(rows)}, nil
}
