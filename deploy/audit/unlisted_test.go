package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/deploy/audit"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/orderfleet/orderfleet/shared/tenant"
)

// TestTenantsThatCannotBeListed: an account that shows nothing makes no violation and stops
// nothing: its tenant is named with the reason, its orders are counted, and the others are
// compared all the same.
func TestTenantsThatCannotBeListed(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refusing.Close()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }))
	defer empty.Close()
	keys := tenant.Credentials{KeyID: "key-of-a-tenant", Secret: "secret-of-a-tenant"}
	accounts := audit.Accounts(tenant.Map{
		"keyless": {Name: "keyless", BaseURL: empty.URL},
		"refused": {Name: "refused", BaseURL: refusing.URL, Credentials: keys},
		"well":    {Name: "well", BaseURL: empty.URL, Credentials: keys},
	})
	for _, tc := range []struct {
		name     string
		tell     func(s *story)
		unlisted []string // tenants, with their orders that are not judged
		why      string
		missing  int
	}{
		{"not in the file", func(s *story) { s.accept(s.ask("stranger", "1", 1)); s.accept(s.ask("stranger", "2", 1)) }, []string{"stranger 2"}, "unknown", 0},
		{"without keys", func(s *story) { s.accept(s.ask("keyless", "1", 1)) }, []string{"keyless 1"}, "no credentials", 0},
		{"refused", func(s *story) { s.accept(s.ask("refused", "1", 1)) }, []string{"refused 1"}, "401", 0},
		{"refused, without an order", func(s *story) { s.end(s.ask("refused", "1", 1), order.Blocked) }, []string{"refused 0"}, "401", 0},
		{"an order that may be there", func(s *story) { s.end(s.ask("stranger", "1", 1), order.Failed) }, []string{"stranger 0"}, "unknown", 0},
		{"blocked, as it has no account", func(s *story) { s.end(s.ask("stranger", "1", 1), order.Blocked) }, nil, "", 0},
		{"beside one whose order is missing", func(s *story) {
			s.accept(s.ask("refused", "1", 1))
			s.accept(s.ask("well", "1", 1))
			s.accept(s.ask("stranger", "1", 1))
		}, []string{"refused 1", "stranger 1"}, "401", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStory()
			tc.tell(s)
			r, err := audit.Run(t.Context(), s, accounts, history.Stretch{}, audit.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var named []string
			for _, u := range r.Unlisted {
				named = append(named, fmt.Sprint(u.Tenant, " ", u.Orders))
			}
			if !slices.Equal(named, tc.unlisted) || r.Found() != tc.missing || r.Violations[proof.MissingOrder] != tc.missing {
				t.Errorf("%q could not be listed; found %+v", named, r.Findings)
			}
			err = r.Err()
			if errors.Is(err, audit.ErrIncomplete) != (len(tc.unlisted) > 0) || (err == nil) != (len(tc.unlisted) == 0) {
				t.Errorf("the verdict is %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "violation") != (tc.missing > 0) {
				t.Errorf("the verdict is %v", err)
			}
			var text strings.Builder
			r.Print(&text)
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, shown := range []string{text.String(), string(data)} {
				for _, u := range r.Unlisted {
					if !strings.Contains(shown, u.Tenant) || !strings.Contains(shown, tc.why) {
						t.Errorf("it does not tell of %s:\n%s", u.Tenant, shown)
					}
				}
				if strings.Contains(shown, "of-a-tenant") {
					t.Errorf("it shows a key:\n%s", shown)
				}
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}
