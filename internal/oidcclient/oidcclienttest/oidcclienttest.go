// Package oidcclienttest has addresses that no relying party may be answered at,
// for tests.
package oidcclienttest

import "strings"

// SimilarAddresses returns addresses that are nearly the registered one of scheme,
// host and path, in the ways that have misled parsers.
func SimilarAddresses(scheme, host, path string) []string {
	var all []string
	hosts := []string{host + ".evil.example", host + "@evil.example", host + "%40evil.example", host + ":443", host + ":", host + ".",
		"evil.example", "evil.example/" + host, "evil.example?" + host, "evil.example#" + host, "evil.example\\@" + host,
		"evil.example\\" + host, "a@" + host, "a:b@" + host, "a@b@" + host, strings.ToUpper(host), "x." + host, "x" + host,
		host + "\\.evil.example", host + "%00.evil.example", host + "%0d%0a", "[::1]", "[::ffff:127.0.0.1]", "localhost", "127.0.0.1", "2130706433",
		"xn--pp-xka.example.com", strings.Replace(host, "a", "а", 1) /* Cyrillic */, host + "。evil.example", ""}
	paths := []string{"", path, path + "/", path + "//", path + "/..", path + "/../x", path + "/..;/x", path + "/%2e%2e/x", path + "%2f..%2fx",
		path + "?", path + "?x=y", path + "#", path + "#x", path + "%20", path + " ", path + "%00", path + "\x00", path + "\n", path + "\\",
		path + ";x", strings.ToUpper(path), "/." + path, "//" + path[1:], "/x/.." + path, "/%63b", path + "&redirect_uri=https://evil.example",
		path + "x", "/evil", path + "\u202e"}
	for _, h := range hosts {
		for _, p := range paths[:4] {
			all = append(all, scheme+"://"+h+p)
		}
	}
	for _, p := range paths {
		if p != path {
			all = append(all, scheme+"://"+host+p)
		}
	}
	for _, s := range []string{"http", "HTTPS", "Https", "javascript", "data", "ftp", "", " https", "https:https", "blob:https", "view-source:https"} {
		for _, p := range paths[:4] {
			all = append(all, s+"://"+host+p)
		}
	}
	return append(all, "https:/"+host+path, "https:"+host+path, "//"+host+path, host+path, "/cb", "cb", "", "https:\\\\"+host+path,
		"https://"+host+path+", https://evil.example", "https://"+host+path+"\thttps://evil.example")
}
