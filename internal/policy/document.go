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

// kinds are all there are, in the order in which operators are shown them. Each
// document is made anew: lists and tables in it belong to who asked.
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

// Kinds lists every kind, in the order in which operators are shown them.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i, k := range kinds {
		all[i] = k.is
	}
	return all
}

// MaxDocument is the most bytes a document may have.
const MaxDocument = 64 << 10

// A Document is what a tenant wants of one kind: [Access], [SelfProvisioning],
// [Platforms], [Push], [Template], [Templates], [Lockout], [Limits], [Devices],
// [Contexts], [Credentials], [Passwords] or [ServerPIN].
type Document interface {
	Kind() Kind
	// Validate reports all that is wrong, as an identity.Error around [Problems].
	Validate() error
}

// Default returns the document of a tenant that has set none of this kind. It
// is nil for an unknown kind.
func Default(kind Kind) Document {
	if i := slices.Index(Kinds(), kind); i >= 0 {
		return kinds[i].byDefault()
	}
	return nil
}

// Decode reads a document of a kind and validates it. No data at all is the
// default, so that what a query did not find needs no case of its own.
func Decode(kind Kind, data []byte) (Document, error) {
	if i := slices.Index(Kinds(), kind); i >= 0 {
		return kinds[i].decode(data)
	}
	return nil, &identity.Error{Kind: identity.NotFound, Key: "error.policy.kind",
		Err: fmt.Errorf("policy: no kind %q; there are %v", kind, Kinds())}
}

// Read is [Decode] for a caller who knows the type: policy.Read[policy.Access](row).
func Read[D Document](data []byte) (D, error) {
	var d D
	doc, err := Decode(d.Kind(), data)
	if err != nil {
		return d, err
	}
	return doc.(D), nil
}

// Encode validates a document and writes it as Decode reads it.
func Encode(d Document) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if n, ok := d.(normal); ok {
		d = n.normal()
	}
	return json.Marshal(d)
}

// A normal document is kept in a form of its own (CRED-4a).
type normal interface{ normal() Document }

// A kind is what a kind of document is like.
type kind struct {
	is        Kind
	byDefault func() Document
	decode    func(data []byte) (Document, error)
}

// kindOf returns a kind. base is what data are written over: the
// default, whose fields hold where the data have none, or for lists and tables
// nothing: encoding/json would otherwise keep parts of a default's elements under
// those that replace them.
func kindOf[D Document](base, byDefault func() D) kind {
	return kind{
		is:        byDefault().Kind(),
		byDefault: func() Document { return byDefault() },
		decode: func(data []byte) (Document, error) {
			d, err := decode(base(), byDefault(), data)
			if n, ok := d.(normal); ok && err == nil {
				return n.normal(), nil
			}
			return d, err
		},
	}
}

func empty[D Document]() (d D) { return d }

// decode writes data over base, and returns the default if there are none.
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
	problems.shape("", reflect.TypeFor[D](), data)
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
