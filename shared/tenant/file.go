package tenant

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"go.yaml.in/yaml/v3"
)

// File is a directory read from a file, for development and small fleets. It does not
// change after it was read.
type File struct {
	tenants  map[string]registered
	template *registered // of every other tenant; nil: there is none
	shared   Shared
	sources  []string // paths of the file and of its secret files
	sum      Sum
}

// Sum tells the content of a tenants file and of the secret files that it names from another.
type Sum [sha256.Size]byte

// registered is a tenant in the file: as who serves it needs it, and as it was set.
type registered struct {
	Tenant
	settings Settings
}

// Shared is what a file says of more than one tenant.
type Shared struct {
	// Limits are everybody's.
	Limits Limits `yaml:"limits"`
	// Labels are the limits of groups, by the label's key and its value.
	Labels map[string]map[string]Limits `yaml:"labels"`
	// Switches are thrown, by their scope: all, label.<key>.<value> or tenant.<name>.
	Switches map[string]FileSwitch `yaml:"switches"`
	// Pools are the rate pools that tenants share, by their names.
	Pools map[string]Pool `yaml:"pools"`
}

// FileSwitch is a switch that is thrown in a file.
type FileSwitch struct {
	Mode   Mode      `yaml:"mode"`
	Until  time.Time `yaml:"until"`
	Reason string    `yaml:"reason"`
}

// placeholder stands for the tenant's name in the template's keys.
const placeholder = "{tenant}"

// LoadFile reads a file like
//
//	broker: https://paper-api.alpaca.markets   # of the tenants that name none
//	requests_per_minute: 200                   # likewise; without it, what the broker's answers state
//	on_failed: continue                        # likewise; or hold: see [Tenant.HoldOnFailed]
//	limits: {max_notional: 100000}             # of everybody
//	labels: {strategy: {pairs: {max_qty: 50}}} # of the tenants with the label strategy=pairs
//	switches: {tenant.beta: {mode: pause, reason: "until its keys are there"}}
//	pools: {desk: {requests: 1000, window: 1m}} # of the tenants with pool: desk
//	tenants:
//	  acme: {key_id: AK1, secret_file: acme.key, labels: {strategy: pairs}, limits: {orders_per_minute: 60}}
//	  corr: {broker: "https://broker-api.alpaca.markets", key_id: CK1, secret_file: ck.key, account: 0d18ae51-...}
//	  beta: {broker: "https://api.alpaca.markets", oauth: "...", requests_per_minute: 1000, on_failed: hold}
//	any: {key_id: "{tenant}", secret: "dev-{tenant}"}   # development only: every other name
//
// Brokers and the rest of a tenant's fields are those of [Settings], limits those of [Limits].
// Secret files are relative to the file's folder; space around their content is not part
// of the secret. A mistake is an error that names its line or field; a tenant without
// credentials is not, see [ErrNoCredentials].
func LoadFile(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("tenant: %w", err)
	}
	read := map[string][]byte{path: data}
	f, err := parse(data, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		secret, err := os.ReadFile(name)
		read[name] = secret
		return secret, err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: %s: %w", path, err)
	}
	f.sources = slices.Sorted(maps.Keys(read))
	f.sum = sum(f.sources, func(name string) ([]byte, error) { return read[name], nil })
	return f, nil
}

// Sum is that of what was read.
func (f *File) Sum() Sum { return f.sum }

// SumNow is that of what stands in the same files now, as far as they can be read.
func (f *File) SumNow() Sum { return sum(f.sources, os.ReadFile) }

// sum reads files, and wipes what it read.
func sum(names []string, read readFile) Sum {
	all := sha256.New()
	for _, name := range names {
		data, err := read(name)
		fmt.Fprintf(all, "%d %t ", len(data), err == nil)
		all.Write(data)
		clear(data)
	}
	return Sum(all.Sum(nil))
}

// Lookup implements [Directory].
func (f *File) Lookup(_ context.Context, name string) (Tenant, error) {
	t, ok := f.find(name)
	if !ok {
		return Tenant{}, fmt.Errorf("%w: no tenant %q in the tenants file", ErrUnknown, name)
	}
	if err := t.check(); err != nil {
		return Tenant{}, err
	}
	return t.Tenant, nil
}

func (f *File) find(name string) (registered, bool) {
	if t, ok := f.tenants[name]; ok {
		return t, true
	}
	if f.template == nil || order.ValidTenant(name) != nil {
		return registered{}, false
	}
	t := *f.template
	t.Tenant = t.named(name)
	t.settings.Account = t.Credentials.Account
	return t, true
}

// Settings are a tenant's; false if it is neither in the file nor made out by its template.
func (f *File) Settings(name string) (Settings, bool) {
	t, ok := f.find(name)
	return t.settings, ok
}

// Shared is what the file says of more than one tenant. Nobody changes it.
func (f *File) Shared() Shared { return f.shared }

// Names are the tenants that stand in the file, in order; those of its template do not.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tenants)) }

// Format implements [fmt.Formatter]: a file shows none of its keys.
func (f *File) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "tenants file of %d", len(f.tenants)) }

// named is a template made out to a tenant.
func (t Tenant) named(name string) Tenant {
	t.Name = name
	c := &t.Credentials
	for _, field := range []*string{&c.KeyID, &c.Secret, &c.OAuth, &c.Account} {
		*field = strings.ReplaceAll(*field, placeholder, name)
	}
	return t
}

// content is the file's shape.
type content struct {
	settings `yaml:",inline"`
	Shared   `yaml:",inline"`

	Tenants map[string]entry `yaml:"tenants"`
	Any     *entry           `yaml:"any"`
}

// settings are what may stand with a tenant, and at the top of the file for the tenants
// that say nothing.
type settings struct {
	Broker            string `yaml:"broker"`
	RequestsPerMinute *int   `yaml:"requests_per_minute"`
	OnFailed          string `yaml:"on_failed"`
}

// entry is a tenant in the file.
type entry struct {
	settings `yaml:",inline"`

	Status Status            `yaml:"status"`
	Pool   string            `yaml:"pool"`
	Weight int               `yaml:"weight"`
	Labels map[string]string `yaml:"labels"`
	Limits Limits            `yaml:"limits"`

	KeyID      string `yaml:"key_id"`
	Secret     string `yaml:"secret"`
	SecretFile string `yaml:"secret_file"`
	OAuth      string `yaml:"oauth"`
	Account    string `yaml:"account"` // see [Credentials.Account]
}

type readFile func(name string) ([]byte, error)

func parse(data []byte, read readFile) (*File, error) {
	c, err := decodeYAML[content](data)
	if err != nil {
		return nil, err
	}
	if err := c.Shared.validate(); err != nil {
		return nil, err
	}
	f := &File{tenants: make(map[string]registered, len(c.Tenants)), shared: c.Shared}
	for name, e := range c.Tenants {
		if err := order.ValidTenant(name); err != nil {
			return nil, fmt.Errorf("tenants: %w", err)
		}
		t, err := e.register(name, c.settings, read)
		if err != nil {
			return nil, fmt.Errorf("tenants.%s.%w", name, err)
		}
		f.tenants[name] = t
	}
	if c.Any != nil {
		t, err := c.Any.register(placeholder, c.settings, read)
		if err != nil {
			return nil, fmt.Errorf("any.%w", err)
		}
		f.template = &t
	}
	return f, nil
}

// ParseLimits reads a YAML file of limits, and checks them.
func ParseLimits(data []byte) (Limits, error) {
	l, err := decodeYAML[Limits](data)
	if err != nil {
		return l, err
	}
	return l, l.Validate()
}

func decodeYAML[T any](data []byte) (T, error) {
	var c T
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	switch err := dec.Decode(&c); {
	case errors.Is(err, io.EOF):
		return c, nil // nothing, or only comments
	case err != nil:
		return c, withoutValues(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return c, errors.New("holds more than one YAML document")
	}
	return c, nil
}

// The YAML library's errors quote values, which may be secrets: only lines and the names
// of fields are taken over.
var (
	atLine       = regexp.MustCompile(`line [0-9]+`)
	unknownField = regexp.MustCompile(`^line [0-9]+: field ([a-z_]{1,32}) not found`)
)

func withoutValues(err error) error {
	types, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		if !strings.HasPrefix(err.Error(), "yaml: ") {
			return errors.New("a value is no number or no duration, where one belongs") // it came from what reads these
		}
		return fmt.Errorf("%s: not YAML", lineOf(err.Error()))
	}
	var problems []string
	for _, text := range types.Errors {
		what := "a value of the wrong type, or a name that stands twice"
		if m := unknownField.FindStringSubmatch(text); m != nil {
			what = "there is no field " + m[1]
		} else if strings.Contains(text, "not found in type") {
			what = "an unknown field"
		}
		problems = append(problems, lineOf(text)+": "+what)
	}
	return errors.New(strings.Join(problems, "; "))
}

func lineOf(text string) string {
	if line := atLine.FindString(text); line != "" {
		return line
	}
	return "somewhere"
}

// accountID is what may become part of a path at the broker.
var accountID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// validate says what is wrong, by the field's name.
func (s *Shared) validate() error {
	if err := s.Limits.Validate(); err != nil {
		return fmt.Errorf("limits.%w", err)
	}
	for key, values := range s.Labels {
		for value, l := range values {
			if err := cmp.Or(ValidWord(key), ValidWord(value)); err != nil {
				return fmt.Errorf("labels: a key or a value %w", err)
			}
			if err := l.Validate(); err != nil {
				return fmt.Errorf("labels.%s.%s.%w", key, value, err)
			}
		}
	}
	for scope, t := range s.Switches {
		if !inScope.MatchString(scope) {
			return errors.New("switches: one is not on all, label.<key>.<value> or tenant.<name>")
		}
		if _, err := ParseMode(string(t.Mode)); err != nil {
			return fmt.Errorf("switches.%s.%w", scope, err)
		}
	}
	for name, p := range s.Pools {
		if err := ValidWord(name); err != nil {
			return fmt.Errorf("pools: a name %w", err)
		}
		if err := p.Validate(); err != nil {
			return fmt.Errorf("pools.%s.%w", name, err)
		}
	}
	return nil
}

var inScope = regexp.MustCompile(`^(all|tenant\.[A-Za-z0-9_-]{1,48}|label(\.[A-Za-z0-9_-]{1,48}){2})$`)

// register makes an entry whole.
func (e entry) register(name string, defaults settings, read readFile) (registered, error) {
	s, err := e.settle(defaults)
	if err != nil {
		return registered{}, err
	}
	t := s.Tenant(name)
	if t.Credentials, err = e.credentials(read); err != nil {
		return registered{}, err
	}
	s.Account = e.Account // which is checked with the keys; a template's is none yet
	return registered{t, s}, nil
}

// settle is what the entry settles, but for the account, and checks it.
func (e entry) settle(defaults settings) (Settings, error) {
	with := e.or(defaults)
	s := Settings{
		Status:   e.Status,
		Broker:   with.Broker,
		OnFailed: with.OnFailed,
		Pool:     e.Pool,
		Weight:   e.Weight,
		Labels:   e.Labels,
		Limits:   e.Limits,
	}
	if n := with.RequestsPerMinute; n != nil {
		if *n == 0 { // which says something here, and nothing in settings
			return s, requestsError(*n)
		}
		s.RequestsPerMinute = *n
	}
	return s, s.Validate()
}

// credentials are the entry's keys.
func (e entry) credentials(read readFile) (Credentials, error) {
	c := Credentials{KeyID: e.KeyID, Secret: e.Secret, OAuth: e.OAuth, Account: e.Account}
	switch {
	case e.Account != "" && e.OAuth != "":
		return c, errors.New("account: stands beside an OAuth token; it takes a correspondent's key pair")
	case e.Account != "" && !accountID.MatchString(strings.ReplaceAll(e.Account, placeholder, "tenant")): // a template's holds the name
		return c, errors.New("account: is no id as brokers give them: 1 to 64 of A-Z, a-z, 0-9, _ and -")
	case e.OAuth != "" && (e.KeyID != "" || e.Secret != "" || e.SecretFile != ""):
		return c, errors.New("oauth: stands beside a key pair; which account is meant?")
	case e.Secret != "" && e.SecretFile != "":
		return c, errors.New("secret_file: stands beside secret")
	case e.SecretFile != "":
		secret, err := read(e.SecretFile)
		if err != nil {
			return c, fmt.Errorf("secret_file: %w", err)
		}
		c.Secret = strings.TrimSpace(string(secret))
	}
	return c, nil
}

// or fills in what is missing.
func (e settings) or(d settings) settings {
	return settings{
		Broker:            cmp.Or(e.Broker, d.Broker),
		RequestsPerMinute: cmp.Or(e.RequestsPerMinute, d.RequestsPerMinute),
		OnFailed:          cmp.Or(e.OnFailed, d.OnFailed, "continue"),
	}
}

// maxRequestsPerMinute is more than any broker allows, and finds what is meant otherwise.
const maxRequestsPerMinute = 1_000_000

// checkAddress finds the mistakes in a broker's address that would show only when the
// tenant's first order is due. It does not quote the address, which may hold a password.
func checkAddress(address string) error {
	if address == "" {
		return errors.New("broker: is required, here or at the top of the file")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("broker: is no address as https://paper-api.alpaca.markets, nor paper, live, broker-api or broker-api-sandbox")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("broker: no user, query or fragment may be part of it")
	}
	return nil
}
