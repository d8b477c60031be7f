// Package templates is everything Latchkey shows in a browser while somebody
// logs in, and every mail it writes.
//
// A page is a template in the folder pages and a struct, its [Body], which names
// the template and the heading, and documents field by field what the template
// shows. The template decides nothing but how to look. Around each body stands
// the same [Page]: the language, the tenant's brand, what went wrong, and where
// the form goes. [Set.Render] writes it.
//
// All pages of a journey live at one address. They show the present step and
// post to the same address one form, whose id is "step", with the hidden fields
// version and step; its buttons are named do. The menu of languages at the
// foot belongs to the same form, so that picking a language loses nothing typed
// (ENR-13). Everything works without scripts; what scripts add hangs on data
// attributes read by static/login.js. No page carries a style attribute or an
// inline script, so that they all run under a strict Content-Security-Policy.
//
// Texts come from package locales by key. A text that is missing in the
// reader's language comes in another and says so by its lang attribute, and the
// values put into a text stand in <bdi>, so that a Latin name does not upset an
// Arabic sentence around it.
package templates
