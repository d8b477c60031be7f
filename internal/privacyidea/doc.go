// Package privacyidea implements the messages of the push protocol of the
// privacyIDEA Authenticator, an app from the app stores: the link it scans, the
// keys that both sides exchange, what each side signs, and the JSON that the app
// reads. It follows the protocol's description and was tested with a client
// written from that description. docs/privacyidea-authenticator.md says which
// parts of the protocol Latchkey supports.
//
// It keeps no state. Package enroll opens the enrolments, package privacyideaapi
// handles what the app sends, and package push the requests.
//
// A signature is RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) over
// fields joined by "|", written in Base32 (RFC 4648, section 6). The format cannot
// tell a "|" inside a field from a separator. [Challenge] therefore removes it from
// the texts it signs. What an app signs are a nonce, a serial and digits made by
// this server.
package privacyidea
