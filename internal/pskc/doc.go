// Package pskc reads the files in which makers of hardware tokens send what
// their tokens hold: PSKC (RFC 6030), an XML that may be encrypted by a key or a
// passphrase sent another way, and plain CSV.
//
// A file comes from outside and holds the seeds of a whole staff, so it is read
// with two suspicions. What stands in it may be hostile: there are no entities,
// no document types, nothing is fetched, and size, depth and the cost of a
// passphrase are bounded. And it may have been changed on its way: the MAC of an
// encrypted seed is checked before the seed is decrypted, an encrypted seed
// without one is refused, and whatever a file says that this package does not
// know is refused by its name and never passed over, for a PIN policy passed over
// would be a second factor less.
//
// All that is wrong is said at once, by line and serial, so that a file is mended
// in one go.
package pskc
