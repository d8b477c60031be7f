// Package backup backs up a running server and restores it: the database, of either kind, the
// keys, and the configuration with the files it names.
//
// A backup contains the rows of all tables in one snapshot, and not the files of the database.
// A backup of SQLite can therefore be restored into PostgreSQL and vice versa. It contains both
// the keys and the database, so it is encrypted under a passphrase; see seal.go. A file that was
// modified, truncated or assembled from two is refused.
//
// A restore begins a new restore generation (see store): everything that may have been used
// after the backup was made is invalid, because the backup cannot know about it. A restore
// requires an empty target, reads the whole file before it writes anything, and publishes its
// files when they are complete.
//
// # File format
//
// The encrypted content is a manifest in JSON, preceded by its length; the files listed in it,
// one after the other; and the rows of the tables listed in it, compressed with gzip. A value of
// a row is a letter followed by its data: n for null; i for an integer, as a signed varint; t and
// b for text and bytes, preceded by their length.
package backup
