package alpaca

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/orderfleet/orderfleet/worker/broker"
)

// account is the account of the Broker API that a client acts for, by a correspondent's keys;
// empty is the Trading API's one.
type account string

// errRoute stops a request that belongs to no account: it must never reach the correspondent.
var errRoute = errors.New("not an address of the Trading API, so of no account")

// route turns an address of the Trading API, which is all that the SDK makes, into the
// account's; root is the base URL's path.
func (a account) route(u *url.URL, root string) error {
	if a == "" {
		return nil
	}
	rest, ok := strings.CutPrefix(u.Path, root+"/v2/")
	if !ok || u.RawPath != "" {
		return errRoute
	}
	if kind, ok := strings.CutPrefix(rest, "account/activities/"); ok { // a list of all accounts
		u.Path = root + "/v1/accounts/activities/" + kind
		query := u.Query()
		query.Set("account_id", string(a))
		u.RawQuery = query.Encode()
		return nil
	}
	u.Path = root + "/v1/trading/accounts/" + string(a) + "/" + rest
	return nil
}

// errOwner refuses what the broker told without saying whose it is.
var errOwner = errors.New("it does not say of which account it is")

// owns says whether something that a correspondent was told, of any of its accounts, is of
// this one. It reads no further than to the account: what is another's is nobody's business,
// nor whether it makes sense.
func (a account) owns(object []byte) (bool, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != jsontext.KindBeginObject {
		return false, errOwner
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil {
			return false, errOwner
		}
		if name.String() != "account_id" {
			if dec.SkipValue() != nil {
				return false, errOwner
			}
			continue
		}
		id, err := dec.ReadToken()
		if err != nil || id.Kind() != jsontext.KindString {
			return false, errOwner
		}
		return strings.EqualFold(id.String(), string(a)), nil
	}
	return false, errOwner
}

// errOthers is what is wrong with a list that shows another account's.
var errOthers = errors.New("it is of another account")

// check makes sure that a line of a list that is filtered by account is of this one: that the
// broker filters is a courtesy, that nobody sees another's is ours to keep.
func (a account) check(line json.RawMessage) error {
	if a == "" {
		return nil
	}
	mine, err := a.owns(line)
	if err == nil && !mine {
		err = errOthers
	}
	return err
}

// absent makes of a 404 the proof of absence that it is when Alpaca itself says so, in JSON
// with a 404 code of its own; a gateway's 404 proves nothing. Nor does that of an account
// which the correspondent may not, or no longer, act for: of its orders it says nothing.
func (a account) absent(v broker.Verdict) broker.Verdict {
	if v.HTTPStatus != http.StatusNotFound || v.Kind != broker.Rejected {
		return v
	}
	v.Kind = broker.Unknown
	if v.Code/100_000 == http.StatusNotFound && (a == "" || !strings.Contains(" "+strings.ToLower(v.Message), " account ")) {
		v.Kind = broker.NotFound
	}
	return v
}
