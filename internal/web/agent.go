package web

import "strings"

// Agent is a short name of a browser, such as "Firefox, Linux", for mails, the
// list of sessions and the audit. It is a guess from a header that a client can
// set as it likes; nothing is decided by it.
func Agent(header string) string {
	first := func(names ...[2]string) string {
		for _, n := range names {
			if strings.Contains(header, n[0]) {
				return n[1]
			}
		}
		return ""
	}
	browser := first([2]string{"Edg", "Edge"}, [2]string{"OPR/", "Opera"}, [2]string{"Firefox/", "Firefox"}, [2]string{"FxiOS", "Firefox"},
		[2]string{"Chrome/", "Chrome"}, [2]string{"CriOS", "Chrome"}, [2]string{"Safari/", "Safari"})
	system := first([2]string{"iPhone", "iPhone"}, [2]string{"iPad", "iPad"}, [2]string{"Android", "Android"}, [2]string{"CrOS", "ChromeOS"},
		[2]string{"Windows", "Windows"}, [2]string{"Macintosh", "macOS"}, [2]string{"Linux", "Linux"})
	return strings.Trim(browser+", "+system, ", ")
}
