package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/kelseyhightower/envconfig"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/natsconn"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// prefix of the environment variables.
const prefix = "ORDERFLEET"

// settings of a serving worker.
type settings struct {
	TenantsFile  string        `envconfig:"TENANTS_FILE" desc:"a file of tenants and their keys, for development; the registry on the server if empty"`
	IdentityFile string        `envconfig:"IDENTITY_FILE" desc:"age identities that open the tenants' sealed credentials, one a line; read again when it changes"`
	WorkerName   string        `envconfig:"WORKER_NAME" desc:"written into outcomes; the host's name with a random suffix if empty"`
	MaxSessions  int           `envconfig:"MAX_SESSIONS" default:"0" desc:"tenants served at once; 0 for three quarters of the limit of open files"`
	SessionIdle  time.Duration `envconfig:"SESSION_IDLE" default:"30s" desc:"how long a tenant without work keeps its connection"`
	HTTPAddr     string        `envconfig:"HTTP_ADDR" desc:"where /livez and /readyz are answered, as :8080; nowhere if empty"`
	LeaseTTL     time.Duration `envconfig:"LEASE_TTL" default:"1s" desc:"how long the fleet waits for a worker's sign of life before others take its shards, in whole seconds"`
	LookupSettle time.Duration `envconfig:"LOOKUP_SETTLE" default:"1s" desc:"how long the broker may show no trace of an order whose answer was lost before it is sent again"`
	LookupGrace  time.Duration `envconfig:"LOOKUP_GRACE" default:"30s" desc:"how long after its expiry an unresolved intent is looked up before it ends as failed"`
	BrokerDial   time.Duration `envconfig:"BROKER_DIAL_TIMEOUT" default:"5s" desc:"to connect to a broker"`
	BrokerTLS    time.Duration `envconfig:"BROKER_TLS_TIMEOUT" default:"5s" desc:"for its TLS handshake"`
	BrokerFirst  time.Duration `envconfig:"BROKER_FIRST_BYTE_TIMEOUT" default:"10s" desc:"for the first byte of its answer"`
	BrokerCall   time.Duration `envconfig:"BROKER_CALL_TIMEOUT" default:"15s" desc:"for a whole call"`
	Reconcile    time.Duration `envconfig:"RECONCILE_EVERY" default:"1h" desc:"how often each tenant's orders and positions at its broker are compared with the ledger; 0 for never"`
	DrainTimeout time.Duration `envconfig:"DRAIN_TIMEOUT" default:"25s" desc:"how long a stopping worker may finish what is under way"`
	LogLevel     zerolog.Level `envconfig:"LOG_LEVEL" default:"info" desc:"debug, info, warn or error; debug shows every request"`
	LogFormat    string        `envconfig:"LOG_FORMAT" default:"json" desc:"json or console"`
}

func readSettings() (settings, error) {
	var s settings
	if err := process(&s); err != nil {
		return s, err
	}
	for name, d := range map[string]time.Duration{
		"LEASE_TTL": s.LeaseTTL, "SESSION_IDLE": s.SessionIdle, "LOOKUP_SETTLE": s.LookupSettle, "LOOKUP_GRACE": s.LookupGrace,
		"BROKER_DIAL_TIMEOUT": s.BrokerDial, "BROKER_TLS_TIMEOUT": s.BrokerTLS, "BROKER_FIRST_BYTE_TIMEOUT": s.BrokerFirst,
		"BROKER_CALL_TIMEOUT": s.BrokerCall, "DRAIN_TIMEOUT": s.DrainTimeout,
	} {
		if d <= 0 {
			return s, fmt.Errorf("%s_%s: %s is not a positive duration, as 30s", prefix, name, d)
		}
	}
	switch {
	case s.TenantsFile != "" && s.IdentityFile != "":
		return s, fmt.Errorf("%[1]s_IDENTITY_FILE and %[1]s_TENANTS_FILE are both set: are the keys sealed, or in the file?", prefix)
	case s.LeaseTTL%time.Second != 0:
		return s, fmt.Errorf("%s_LEASE_TTL: %s is not whole seconds; the server counts no finer", prefix, s.LeaseTTL)
	case s.Reconcile < 0:
		return s, fmt.Errorf("%s_RECONCILE_EVERY: %s is negative", prefix, s.Reconcile)
	case s.MaxSessions < 0:
		return s, fmt.Errorf("%s_MAX_SESSIONS: %d is negative", prefix, s.MaxSessions)
	case s.LogFormat != "json" && s.LogFormat != "console":
		return s, fmt.Errorf("%s_LOG_FORMAT: %q is not json or console", prefix, s.LogFormat)
	}
	return s, nil
}

// process reads the environment and names the variable that is wrong.
func process(spec any) error {
	err := envconfig.Process(prefix, spec)
	if bad, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return fmt.Errorf("%s: %q is no %s: %w", bad.KeyName, bad.Value, bad.TypeName, bad.Err)
	}
	return err
}

const envTable = `{{range .}}{{usage_key .}}	{{usage_default .}}	{{usage_description .}}
{{end}}`

func newEnv() *cobra.Command {
	return &cobra.Command{
		Use:     "env",
		Short:   "Print every environment variable, its default and its meaning",
		Example: "  worker env",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return printEnv(cmd.OutOrStdout()) },
	}
}

func printEnv(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIABLE\tDEFAULT\tMEANING")
	for _, part := range []struct {
		prefix string
		spec   any
	}{
		{prefix, &settings{}},
		{prefix, &ledger.Settings{}},
		{"", &natsconn.Options{}},
	} {
		if err := envconfig.Usagef(part.prefix, part.spec, table, envTable); err != nil {
			return fmt.Errorf("print the environment: %w", err)
		}
	}
	return table.Flush()
}
