package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// The pictures in the README are of the product as it is: `make shots` takes
// them anew, on the way of somebody who enrols and approves a push.
func TestPictures(t *testing.T) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		t.Skip("PICTURES names no folder; make shots does")
	}
	take := func(b *Browser, width, height int64, name string) {
		t.Helper()
		b.window(width, height)
		b.picture(dir, name)
		b.resize(b.profile.Width)
		reducePalette(t, filepath.Join(dir, name+".png"))
	}
	w := NewFlow(t, "saml", Profile{})
	w.OnPage = func(page string) {
		switch page {
		case "password":
			take(w.Desk, 640, 860, "login")
		case "scan":
			take(w.Desk, 1280, 900, "enrolment")
		case "choose":
			w.Desk.scheme("dark")
			take(w.Desk, 640, 860, "choose-dark")
			w.Desk.scheme("light")
		case "push":
			take(w.Desk, 640, 860, "push")
		}
	}
	w.Phone.OnState = func(state string) {
		switch state {
		case "app-request":
			take(w.Phone.Browser, 390, 780, "authenticator")
		case "app-account":
			take(w.Phone.Browser, 390, 780, "accounts")
		}
	}
	w.SignIn()
	w.Enroll(true)
	w.Push()
	w.Arrive()

	w = NewFlow(t, "oidc", Profile{})
	w.Demo.require("pick")
	w.OnPage = func(page string) {
		if page == "push" {
			take(w.Desk, 640, 860, "pick")
		}
	}
	w.Phone.OnState = func(state string) {
		if state == "app-pick" {
			take(w.Phone.Browser, 390, 780, "authenticator-pick")
		}
	}
	w.SignIn()
	w.Enroll(true)
	w.SendPush()
	shown := w.Desk.Text(waiting)
	w.Phone.Pick(shown, func(option string) bool { return option == shown })
	w.Arrive()

	w = NewFlow(t, "oidc", Profile{Lang: "ar"})
	w.OnPage = func(page string) {
		if page == "scan" {
			take(w.Desk, 760, 860, "enrolment-ar")
		}
	}
	w.SignIn()
	w.VerifyMail()
	w.PickPlatform("android")
}

// maxPicture is the most bytes of a picture in the README: who reads it on a
// train waits for all of them.
const maxPicture = 150_000

// Every picture is there, none is too large, and none is there for nothing.
func TestReadmePictures(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for _, found := range regexp.MustCompile(`docs/images/([a-z-]+\.png)`).FindAllSubmatch(readme, -1) {
		shown[string(found[1])] = true
	}
	files, err := os.ReadDir("../docs/images")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !shown[file.Name()] {
			t.Errorf("the README does not show %s", file.Name())
		}
		if info.Size() > maxPicture {
			t.Errorf("%s has %d bytes, want %d at most", file.Name(), info.Size(), maxPicture)
		}
		delete(shown, file.Name())
	}
	for name := range shown {
		t.Errorf("the README shows %s, which is not there", name)
	}
}

// reducePalette writes a picture anew with a palette of its 256 most frequent colours.
// A page has few more: what gives way is some greys at the edges of letters.
func reducePalette(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	bounds := picture.Bounds()
	frequent := make(map[color.Color]int)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			frequent[picture.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(frequent), func(a, b color.Color) int { return frequent[b] - frequent[a] })
	few := image.NewPaletted(bounds, all[:min(len(all), 256)])
	draw.Draw(few, bounds, picture, bounds.Min, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, few); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
