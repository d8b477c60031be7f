package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Kind says what a document is about. A tenant has one of each.
type Kind string

const (
	KindAccess           Kind = "access"
	KindSelfProvisioning Kind = "self-provisioning"
	KindPlatforms        Kind = "platforms"
	KindPush             Kind = "push"
	KindTemplate         Kind = "template"
	KindTemplates        Kind = "templates"
	KindLockout          Kind = "lockout"
	KindLimits           Kind = "limits"
	KindDevices          Kind = "devices"
	KindContexts         Kind = "contexts"
	KindCredentials      Kind = "credentials"
	KindPasswords        Kind = "passwords"
	KindPIN              Kind = "pin"
)

// kinds lists all kinds in the order in which operators see them. Documents are
// created by functions, so that callers do not share their lists and maps.
var kinds = []kind{
	kindOf(empty[Access], DefaultAccess),
	kindOf(DefaultSelfProvisioning, DefaultSelfProvisioning),
	kindOf(empty[Platforms], DefaultPlatforms),
	kindOf(DefaultPush, DefaultPush),
	kindOf(DefaultTemplate, DefaultTemplate),
	kindOf(DefaultTemplates, DefaultTemplates),
	kindOf(DefaultLockout, DefaultLockout),
	kindOf(DefaultLimits, DefaultLimits),
	kindOf(DefaultDevices, DefaultDevices),
	kindOf(DefaultContexts, DefaultContexts),
	kindOf(DefaultCredentials, DefaultCredentials),
	kindOf(DefaultPasswords, DefaultPasswords),
	kindOf(DefaultServerPIN, DefaultServerPIN),
}

// Kinds lists every kind, in the order in which operators see them.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i, k := range kinds {
		all[i] = k.name
	}
	return all
}

// MaxDocument is the maximum size of a document in bytes.
const MaxDocument = 64 << 10

// A Document is what a tenant has configured for one kind: [Access], [SelfProvisioning],
// [Platforms], [Push], [Template], [Templates], [Lockout], [Limits], [Devices],
// [Contexts], [Credentials], [Passwords] or [ServerPIN].
type Document interface {
	Kind() Kind
	// Validate reports everything that is wrong, as an identity.Error that wraps [Problems].
	Validate() error
}

// Decode reads a document of a kind and validates it. Empty data give the
// default, so that callers need not handle a missing row. The error is an
// identity.Error: NotFound for an unknown kind, TooLarge, or Invalid around
// [Problems].
func Decode(kind Kind, data []byte) (Document, error) {
	if i := slices.Index(Kinds(), kind); i >= 0 {
		return kinds[i].decode(data)
	}
	return nil, &identity.Error{Kind: identity.NotFound, Key: "error.policy.kind",
		Err: fmt.Errorf("policy: no kind %q; there are %v", kind, Kinds())}
}

// Read is [Decode] for callers that know the type: policy.Read[policy.Access](row).
func Read[D Document](data []byte) (D, error) {
	var d D
	doc, err := Decode(d.Kind(), data)
	if err != nil {
		return d, err
	}
	return doc.(D), nil
}

// Encode validates a document and returns the JSON that Decode reads.
func Encode(d Document) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if n, ok := d.(normalizer); ok {
		d = n.normalize()
	}
	return json.Marshal(d)
}

// A normalizer is a document that is stored in a normal form (CRED-4a).
type normalizer interface{ normalize() Document }

// A kind describes one kind of document.
type kind struct {
	name     Kind
	defaults func() Document
	decode   func(data []byte) (Document, error)
}

// kindOf returns the description of a kind. base returns the document that JSON
// is decoded into. For most kinds it is the default, whose values remain where
// the JSON has no field. For lists and maps it is empty, because encoding/json
// would keep parts of the default's elements below those that replace them.
func kindOf[D Document](base, byDefault func() D) kind {
	return kind{
		name:     byDefault().Kind(),
		defaults: func() Document { return byDefault() },
		decode: func(data []byte) (Document, error) {
			d, err := decode(base(), byDefault(), data)
			if n, ok := d.(normalizer); ok && err == nil {
				return n.normalize(), nil
			}
			return d, err
		},
	}
}

func empty[D Document]() (d D) { return d }

// decode reads data into base. It returns the default if there are no data.
func decode[D Document](base, byDefault D, data []byte) (Document, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return byDefault, nil
	}
	if len(data) > MaxDocument {
		return nil, &identity.Error{Kind: identity.TooLarge, Key: "error.policy.invalid",
			Err: fmt.Errorf("policy: %s of %d bytes, at most %d", base.Kind(), len(data), MaxDocument)}
	}
	var problems Problems
	if err := json.Unmarshal(data, new(any)); err != nil {
		problems.add("", "json", "cause", err.Error())
		return nil, problems.err()
	}
	problems.checkShape("", reflect.TypeFor[D](), data)
	if err := problems.err(); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &base); err != nil {
		problems.add("", "json", "cause", err.Error())
		return nil, problems.err()
	}
	if err := base.Validate(); err != nil {
		return nil, err
	}
	return base, nil
}
