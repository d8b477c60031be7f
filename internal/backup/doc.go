// Package backup makes a copy of everything while the server runs, and makes a
// server of it again: the database, whichever it is, the keys, and the
// configuration with the files it names.
//
// The copy is one of rows, table by table in one snapshot, not of a database's
// files: what was SQLite can become PostgreSQL, and the other way. It holds the
// keys and the database side by side, so it is sealed under a passphrase from
// its first byte; see seal.go. A sealed file that was changed, cut short, or put
// together from two is refused, wherever that was done.
//
// A restore begins a new epoch (store.Tx): what may have been used after the
// copy was made is over, since the copy cannot know. It goes into an empty
// place only, reads the whole file before it writes anything, and shows what it
// wrote when it is complete.
//
// # The file
//
// Inside the seal stand a manifest, as JSON with its length before it; the
// files it lists, one after the other; and the rows of the tables it lists,
// compressed by gzip. A value of a row is a letter and what follows it: n, null;
// i, an integer as a signed varint; t and b, text and bytes with their length
// before them.
package backup
