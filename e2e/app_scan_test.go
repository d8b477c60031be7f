package e2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	qrcode "github.com/skip2/go-qrcode"
)

// What scanning is made of.
const (
	scanButton  = `#sheet .scanner > button:not(.plain)`
	scanView    = `#sheet video`
	scanSays    = `#sheet .scanner [role="status"]`
	scanProblem = `#sheet .scanner [role="alert"]`
	scanPicture = `#sheet .scanner input[type="file"]`
)

// photograph is a QR code as a camera sees it on a screen: from the side, a
// little turned, darker to one edge, with a noise that is always the same.
func photograph(t *testing.T, text string) *image.Gray {
	t.Helper()
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	const width, height, size = 640, 480, 330.0
	grid := code.Bitmap()
	noise := rand.New(rand.NewPCG(1, 2)) // a picture, not a secret
	sin, cos := math.Sincos(0.2)
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			const samples = 3
			light := 0.0
			for i := range samples * samples {
				dx := float64(x-width/2) + float64(i%samples)/samples
				dy := float64(y-height/2) + float64(i/samples)/samples
				u, v := (cos*dx+sin*dy)/size, (cos*dy-sin*dx)/size
				depth := 1 + 0.15*v
				col, row := int(math.Floor((u/depth+0.5)*float64(len(grid)))), int(math.Floor((v/depth+0.5)*float64(len(grid))))
				switch {
				case row < 0 || col < 0 || row >= len(grid) || col >= len(grid):
					light += 90 // the wall behind the screen
				case grid[row][col]:
					light += 25
				default:
					light += 225
				}
			}
			light = light/(samples*samples)*(1-0.3*float64(x)/width) + 6*noise.NormFloat64()
			picture.SetGray(x, y, color.Gray{Y: uint8(min(max(light, 0), 255))})
		}
	}
	return picture
}

// camera is a browser whose camera shows these texts as QR codes, one after the
// other, each for two seconds, again and again.
func camera(t *testing.T, texts ...string) context.Context {
	t.Helper()
	const rate = 5
	var film bytes.Buffer
	for i, text := range texts {
		picture := photograph(t, text)
		size := picture.Bounds().Size()
		if i == 0 {
			fmt.Fprintf(&film, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n", size.X, size.Y, rate)
		}
		grey := bytes.Repeat([]byte{128}, len(picture.Pix)/2)
		for range 2 * rate {
			film.WriteString("FRAME\n")
			film.Write(picture.Pix)
			film.Write(grey)
		}
	}
	name := filepath.Join(t.TempDir(), "camera.y4m")
	if err := os.WriteFile(name, film.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return startChromium(t, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", name))
}

// allow answers for the person whether the page may have the camera.
func (b *Browser) allow(setting browser.PermissionSetting) {
	b.t.Helper()
	b.permit("camera", setting)
}

// permit answers for the person whether pages may have something.
func (b *Browser) permit(what string, setting browser.PermissionSetting) {
	b.t.Helper()
	c := chromedp.FromContext(b.ctx)
	_, err := cdp.Call(b.ctx, c.Browser, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: what}, Setting: setting, BrowserContextID: c.BrowserContextID})
	if err != nil {
		b.t.Fatalf("permission for the %s: %v", what, err)
	}
}

// The app's own camera, with a browser that reads no QR codes itself: what is no
// activation is told in words and the scanning goes on; the activation ends in an
// account, and the camera is off.
func TestScanToAccount(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	link := h.link(t)
	process := camera(t, "otpauth://totp/Example:anna?secret=GEZDGNBVGY3TQOJQ", "https://evil.example/authenticator/#v1."+strings.Repeat("a", 26), link)
	b := Browse(t, process, Profile{Phone: true})
	b.allow(browser.PermissionSettingGranted)
	b.Open(h.base + "/authenticator/")
	if native, err := evaluate[bool](b, `"BarcodeDetector" in window`); err != nil || native {
		t.Logf("this browser has a BarcodeDetector (%v): the decoder is not what is tried", err)
	}
	b.Click(addButton)
	b.Click(scanButton)
	b.See(scanView)
	b.Await("another app's code in words", fmt.Sprintf(`document.querySelector(%q).textContent.includes("another kind")`, scanSays))
	b.Await("another server's code in words", fmt.Sprintf(`document.querySelector(%q).textContent.includes("evil.example")`, scanSays))
	b.See(`#sheet input[name="push"]`)
	if running, err := evaluate[bool](b, `document.querySelector("video")?.srcObject?.active ?? false`); err != nil || running {
		t.Errorf("the camera still runs (%v)", err)
	}
	b.Click(submit)
	b.Click(done)
	b.See(account)
}

func encodePNG(t *testing.T, picture image.Image) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "picture.png")
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Who has no camera, or allows none, is told which, in words, and goes on by a
// picture or the short code, which are beside it all the time.
func TestScanWithoutCamera(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	stale := encodePNG(t, photograph(t, h.link(t))) // the next one voids it
	picture := encodePNG(t, photograph(t, h.link(t)))
	wall := encodePNG(t, image.NewGray(image.Rect(0, 0, 64, 64)))
	other := encodePNG(t, photograph(t, "WIFI:S:office;T:WPA;P:secret;;"))
	text := filepath.Join(t.TempDir(), "notes.png")
	if err := os.WriteFile(text, []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := Browse(t, startChromium(t, chromedp.Flag("use-fake-device-for-media-stream", true)), Profile{Phone: true})
	b.allow(browser.PermissionSettingDenied)
	b.Open(h.base + "/authenticator/")
	b.Click(addButton)
	b.Click(scanButton)
	b.reads(scanProblem, "not allowed")
	b.See(typedCode)
	for _, tt := range []struct{ file, where, want string }{
		{wall, scanProblem, "no QR code"},
		{text, scanProblem, "cannot be opened as a picture"},
		{other, scanSays, "Wi-Fi"},
		{stale, `#sheet form .error`, "already used"},
	} {
		b.choose(tt.file)
		b.reads(tt.where, tt.want)
	}
	b.choose(picture)
	b.See(`#sheet input[name="push"]`)
}

// choose picks a file where the app asks for a picture.
func (b *Browser) choose(name string) {
	b.t.Helper()
	b.do("choose "+name, chromedp.SetUploadFiles(chromedp.CSS(scanPicture), []string{name}))
}

// reads waits until the first match of the selector says so.
func (b *Browser) reads(selector, text string) {
	b.t.Helper()
	b.Await(text, fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() && document.querySelector(%q).innerText.includes(%q)`, selector, selector, text))
}

// Each way in which there is no camera has words of its own, and none of them
// ends the sheet.
func TestScanRefusals(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, chromium(t), Profile{})
	b.Open(h.base + "/authenticator/")
	for _, tt := range []struct{ name, want string }{
		{"NotFoundError", "No camera was found"},
		{"NotReadableError", "another app may be using it"},
		{"NotAllowedError", "not allowed for this page"},
		{"SecurityError", "not allowed for this page"},
	} {
		if _, err := evaluate[struct{}](b, fmt.Sprintf(`(navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", %q) }, {})`, tt.name)); err != nil {
			t.Fatal(err)
		}
		b.Click(addButton)
		b.Click(scanButton)
		b.reads(scanProblem, tt.want)
		b.See(scanButton)
		b.Click(`#sheet .top button`)
	}
}

// The camera's states, looked at as pages are.
func TestScanStates(t *testing.T) {
	t.Parallel()
	needAxe(t)
	h := startApp(t)
	process := camera(t, "otpauth://totp/Example:anna?secret=GEZDGNBVGY3TQOJQ")
	for _, lang := range inspected {
		b := Browse(t, process, Profile{Lang: lang})
		b.allow(browser.PermissionSettingGranted)
		b.Open(h.base + "/authenticator/")
		b.Click(addButton)
		b.Click(scanButton)
		b.See(scanSays + ".notice")
		b.inspectFirst("scan-camera-" + lang)
		b.allow(browser.PermissionSettingDenied)
		b.Reload()
		b.Click(addButton)
		b.Click(scanButton)
		b.See(scanProblem)
		b.inspectFirst("scan-denied-" + lang)
	}
}

// A browser's own detector goes first: one that reads makes ours unnecessary,
// one that throws, or never sees anything, is made up for.
func TestScanWithNativeDetector(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	process := camera(t, "WIFI:S:office;T:WPA;P:secret;;")
	for _, tt := range []struct {
		name, detect, says string
		ours               bool
	}{
		{"reads", `async () => [{ rawValue: "just text" }]`, "not for an authenticator", false},
		{"throws", `async () => { throw new DOMException("no service", "NotSupportedError") }`, "Wi-Fi", true},
		{"sees nothing", `async () => []`, "Wi-Fi", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := Browse(t, process, Profile{Phone: true})
			b.allow(browser.PermissionSettingGranted)
			b.before(fmt.Sprintf(`window.BarcodeDetector = class { static async getSupportedFormats() { return ["qr_code"] }; detect = %s }`, tt.detect))
			b.Open(h.base + "/authenticator/")
			b.See(`main details`)
			if b.fetched("scanner/") {
				t.Error("the decoder was fetched before anybody scanned")
			}
			b.Click(addButton)
			b.Click(scanButton)
			b.reads(scanSays, tt.says)
			if got := b.fetched("scanner/"); got != tt.ours {
				t.Errorf("our decoder fetched: %v, want %v", got, tt.ours)
			}
		})
	}
}

// fetched reports whether the page has loaded something whose address has part
// in it.
func (b *Browser) fetched(part string) bool {
	b.t.Helper()
	got, err := evaluate[bool](b, fmt.Sprintf(`performance.getEntriesByType("resource").some((entry) => entry.name.includes(%q))`, part))
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// A camera runs only where somebody sees what it sees: it rests while the page
// is hidden, and ends with the sheet, whichever way that is left. What it can do
// beside is offered, and the keyboard follows what is there.
func TestScanCameraRests(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	process := camera(t, "WIFI:S:office;T:WPA;P:secret;;")
	b := Browse(t, process, Profile{})
	b.allow(browser.PermissionSettingGranted)
	b.before(`
		window.tracks = []
		const media = MediaDevices.prototype, ask = media.getUserMedia, list = media.enumerateDevices
		media.getUserMedia = async function (wanted) {
			const stream = await ask.call(this, { video: true })
			const [track] = stream.getVideoTracks()
			track.wanted = wanted.video
			track.getCapabilities = () => ({ torch: true })
			track.applyConstraints = async ({ advanced }) => { track.torch = advanced[0].torch }
			tracks.push(track)
			return stream
		}
		media.enumerateDevices = async function () {
			return [...await list.call(this), { kind: "videoinput", deviceId: "other", label: "" }]
		}
		const seen = Object.getOwnPropertyDescriptor(Document.prototype, "visibilityState").get
		Object.defineProperty(document, "visibilityState", { get() { return window.away ? "hidden" : seen.call(this) } })
		window.turn = (away) => { window.away = away; document.dispatchEvent(new Event("visibilitychange")) }`)
	running := func(want int) {
		t.Helper()
		b.Await(fmt.Sprintf("%d running cameras", want), fmt.Sprintf(`tracks.filter((track) => track.readyState === "live").length === %d`, want))
	}
	b.Open(h.base + "/authenticator/")
	b.Click(addButton)
	b.Await("the focus on scanning", fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, scanButton))
	b.press("\r")
	b.reads(scanSays, "Wi-Fi")
	running(1)
	b.Await("the focus on the end", `document.activeElement.textContent === "Stop the camera"`)
	b.Click(`#sheet [aria-pressed="false"]`)
	b.Await("light", `tracks[0].torch && document.querySelector('#sheet [aria-pressed="true"]')`)
	b.run(`const pick = document.querySelector("#sheet select"); pick.value = "other"; pick.dispatchEvent(new Event("change"))`)
	b.Await("the other camera", `tracks[1]?.wanted.deviceId.exact === "other" && tracks[0].readyState === "ended"`)
	b.reads(scanSays, "Wi-Fi")

	b.run(`turn(true)`)
	running(0)
	b.run(`turn(false)`)
	running(1)
	b.reads(scanSays, "Wi-Fi")
	b.press("\x1b")
	b.Await("the sheet to close", `!document.querySelector("#sheet").open`)
	running(0)
	b.run(`turn(true); turn(false)`)

	b.Click(addButton)
	b.press("\r")
	b.reads(scanSays, "Wi-Fi")
	running(1)
	b.press("\r") // on the end
	running(0)
	b.Await("the focus back", fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, scanButton))
}

// press presses one key.
func (b *Browser) press(key string) {
	b.t.Helper()
	b.do("press", chromedp.KeyEvent(key))
}

// Where the decoder does not come, that is said, and the short code is there.
func TestScanWithoutDecoder(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b := Browse(t, camera(t, "text"), Profile{})
	b.allow(browser.PermissionSettingGranted)
	b.before(`window.Worker = class { constructor() { setTimeout(() => this.onerror(new Event("error"))) }; postMessage() {}; terminate() {} }`)
	b.Open(h.base + "/authenticator/")
	b.Click(addButton)
	b.Click(scanButton)
	b.reads(scanProblem, "could not be loaded")
	b.See(typedCode)
}

// The QR code as it really is on the sign-in page: the app reads it from a
// picture of the whole screen.
func TestScanTheSignInPage(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "oidc", Profile{})
	w.SignIn()
	w.VerifyMail()
	w.PickPlatform("android")
	dir := t.TempDir()
	w.Desk.picture(dir, "screen")
	w.Phone.Open(w.Demo.Base + "/authenticator/")
	w.Phone.Click(addButton)
	w.Phone.See(scanButton)
	w.Phone.choose(filepath.Join(dir, "screen.png"))
	w.Phone.finish(false)
	w.Passcode()
	w.Arrive()
}
