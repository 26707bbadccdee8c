package alpaca_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/alpaca"
	"github.com/orderfleet/orderfleet/worker/broker"
	"github.com/orderfleet/orderfleet/worker/broker/brokertest"
)

// logged makes a client with its log at one level.
func logged(t *testing.T, url string, level zerolog.Level, creds tenant.Credentials) (*alpaca.Client, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return connect(t, url, func(cfg *alpaca.Config) {
		cfg.Credentials = creds
		cfg.Logger = zerolog.New(log).Level(level)
	}), log
}

func TestLogLines(t *testing.T) {
	s := brokertest.NewServer(t)
	for name, test := range map[string]struct {
		level zerolog.Level
		reply brokertest.Reply
		want  map[string]any // nil: no line
	}{
		"accepted, at info":  {zerolog.InfoLevel, brokertest.JSON(200, "{}"), nil},
		"accepted, at debug": {zerolog.DebugLevel, brokertest.JSON(200, "{}"), map[string]any{"level": "debug", "status": 200., "broker_request_id": "req-1"}},
		"rejected":           {zerolog.InfoLevel, brokertest.Error(403, 40310000, "no"), map[string]any{"level": "info", "status": 403.}},
		"rate limit":         {zerolog.InfoLevel, brokertest.Error(429, 42910000, "no"), map[string]any{"level": "info", "status": 429.}},
		"no answer":          {zerolog.InfoLevel, brokertest.Reply{Then: brokertest.Close}, map[string]any{"level": "info", "sent": true}},
	} {
		t.Run(name, func(t *testing.T) {
			c, log := logged(t, s.URL, test.level, keys)
			s.Reply(test.reply)
			c.ByClientID(t.Context(), id)
			if test.want == nil {
				if log.Len() > 0 {
					t.Errorf("logged %s", log)
				}
				return
			}
			var line map[string]any
			if err := json.Unmarshal(log.Bytes(), &line); err != nil {
				t.Fatalf("want one line, got %q: %v", log, err)
			}
			test.want["tenant"] = "acme"
			test.want["method"] = "GET"
			test.want["path"] = "/v2/orders:by_client_order_id"
			test.want["request"] = 1.
			for field, value := range test.want {
				if line[field] != value {
					t.Errorf("%s is %v, want %v", field, line[field], value)
				}
			}
			if _, ok := line["took"].(float64); !ok {
				t.Errorf("took is %v", line["took"])
			}
		})
	}
}

// A server that echoes the keys makes them known to nobody: not to the log, not to
// the verdict, which ends in the ledger.
func TestSecretsStayHere(t *testing.T) {
	for name, creds := range modes {
		t.Run(name, func(t *testing.T) {
			s := brokertest.NewServer(t)
			c, log := logged(t, s.URL, zerolog.TraceLevel, creds)
			echo := strings.Join([]string{creds.KeyID, creds.Secret, creds.OAuth}, " ")
			if creds.Account != "" {
				echo += " " + base64.StdEncoding.EncodeToString([]byte(creds.KeyID+":"+creds.Secret))
			}
			booked := `{"id":"` + echo + `","client_order_id":"` + echo + `","qty":"` + echo + `"}`
			for _, reply := range []brokertest.Reply{
				brokertest.Error(403, 40310000, echo),
				{Status: 500, Body: echo},
				brokertest.JSON(200, booked),
				brokertest.JSON(200, echo),
				{Raw: []byte("HTTP/1.1 " + echo + "\r\n\r\n"), Then: brokertest.Close},
				{Raw: []byte(echo + "\r\n\r\n"), Then: brokertest.Close},
				{Raw: []byte("HTTP/1.1 422 No\r\n" + echo + "\r\n\r\n"), Then: brokertest.Close},
			} {
				reply.Header = map[string][]string{"X-Request-Id": {echo}}
				s.Reply(reply)
				for _, v := range []broker.Verdict{
					c.Place(t.Context(), id, market(), never), c.ByClientID(t.Context(), id),
					c.ByID(t.Context(), "x"), c.Position(t.Context(), "AAPL"),
				} {
					for _, secret := range strings.Fields(echo) {
						if strings.Contains(v.Message+v.RequestID, secret) {
							t.Errorf("HTTP %d: the verdict shows %q: %q %q", v.HTTPStatus, secret, v.Message, v.RequestID)
						}
					}
				}
			}
			for _, secret := range strings.Fields(echo) {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log shows %q", secret)
				}
			}
			if strings.Contains(log.String(), "time_in_force") {
				t.Error("the log shows a body")
			}
		})
	}
}
