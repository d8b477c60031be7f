// Package pskc reads the files in which vendors of hardware tokens deliver the
// secrets of their tokens: PSKC (RFC 6030), an XML format that may be encrypted
// with a key or a passphrase sent separately, and plain CSV.
//
// A file comes from outside and contains the seeds of many users, so it is not
// trusted in two ways. It may be hostile: entities and document types are refused,
// nothing is fetched, and size, depth and the cost of deriving a key are bounded.
// It may also have been modified: the MAC of an encrypted value, be it the seed or a
// counter, is checked before it is decrypted, and one without a MAC is refused. Elements
// that restrict the use of a key and that this package does not know are refused
// by name. Ignoring a PIN policy, for example, would remove a factor.
//
// All problems are reported at once, with line and serial, so that a file can be
// corrected in one pass.
package pskc
