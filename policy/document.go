package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/latchkey-id/latchkey/identity"
)

// A Kind says what a document is about. A tenant has one of each.
type Kind string

const (
	KindAccess           Kind = "access"
	KindSelfProvisioning Kind = "self-provisioning"
	KindPlatforms        Kind = "platforms"
	KindPush             Kind = "push"
	KindTemplate         Kind = "template"
	KindLockout          Kind = "lockout"
	KindLimits           Kind = "limits"
)

// Kinds lists every kind, in the order in which operators are shown them.
func Kinds() []Kind {
	return []Kind{KindAccess, KindSelfProvisioning, KindPlatforms, KindPush,
		KindTemplate, KindLockout, KindLimits}
}

// MaxDocument is the most bytes a document may have.
const MaxDocument = 64 << 10

// A Document is what a tenant wants of one kind: [Access], [SelfProvisioning],
// [Platforms], [Push], [Template], [Lockout] or [Limits].
type Document interface {
	Kind() Kind
	// Validate reports all that is wrong, as an identity.Error around [Problems].
	Validate() error
}

// Default returns the document of a tenant that has set none of this kind. It
// is nil for an unknown kind.
func Default(kind Kind) Document {
	switch kind {
	case KindAccess:
		return DefaultAccess()
	case KindSelfProvisioning:
		return DefaultSelfProvisioning()
	case KindPlatforms:
		return DefaultPlatforms()
	case KindPush:
		return DefaultPush()
	case KindTemplate:
		return DefaultTemplate()
	case KindLockout:
		return DefaultLockout()
	case KindLimits:
		return DefaultLimits()
	}
	return nil
}

// Decode reads a document of a kind and validates it. No data at all is the
// default, so that what a query did not find needs no case of its own.
func Decode(kind Kind, data []byte) (Document, error) {
	switch kind {
	case KindAccess:
		return decode(Access{}, DefaultAccess(), data)
	case KindSelfProvisioning:
		return decode(DefaultSelfProvisioning(), DefaultSelfProvisioning(), data)
	case KindPlatforms:
		return decode(Platforms{}, DefaultPlatforms(), data)
	case KindPush:
		return decode(DefaultPush(), DefaultPush(), data)
	case KindTemplate:
		d, err := decode(DefaultTemplate(), DefaultTemplate(), data)
		if err != nil {
			return nil, err
		}
		return d.(Template).Normal(), nil
	case KindLockout:
		return decode(DefaultLockout(), DefaultLockout(), data)
	case KindLimits:
		return decode(DefaultLimits(), DefaultLimits(), data)
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
	if t, ok := d.(Template); ok {
		d = t.Normal()
	}
	return json.Marshal(d)
}

// decode writes data over base, the value whose fields hold where data has
// none. For lists and tables base is empty: encoding/json would otherwise keep
// parts of a default's elements under those that replace them.
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
