// Package templates has the pages of sign-in, enrolment and self-service, and
// all mails.
//
// A page is a template in the folder pages and a struct, its [Body], which
// names the template and the heading, and documents field by field what the
// template shows. The template decides only about the presentation. Around each
// body stands the same [Page]: the language, the tenant's brand, what went
// wrong, and where the form goes. [Set.Render] writes it.
//
// All pages of a journey live at one address. They show the present step and
// post to the same address one form, whose id is "step", with the hidden field
// state; its buttons are named do. The menu of languages in the
// footer belongs to the same form, so that nothing typed is lost when a
// language is picked (ENR-13). Everything works without scripts;
// static/login.js acts on data attributes. No page has a style attribute or an
// inline script, so that all work under a strict Content-Security-Policy.
//
// Texts come from package locales by key. A text that is missing in the
// reader's language is shown in another, with a lang attribute. Values in a
// text are put into <bdi>, so that a Latin name does not change the direction
// of an Arabic sentence around it.
package templates
