// Package alpaca is the broker adapter for Alpaca's Trading API: the official SDK
// over a connection that its calling goroutine owns outright.
//
//	session ── Client ── the SDK ── line ── conn ── socket
//	            judges     words    credentials,   one dial, write,
//	            answers    things   capture, log   read at a time
//
// # Who owns what
//
// A [Client] belongs to one goroutine, its session's; so does all below it. There
// is no lock, no pool, no goroutine: the caller itself dials, writes and reads.
// The call in progress lives in plain fields of the line, which is how a context,
// a deadline and notAfter get past an SDK that knows none of them, and how status,
// headers and body get back past one that drops them. Between calls a client holds
// a socket, a 2 KiB reader and the last request and answer; after Hangup nothing but
// the keys.
// The one thing that runs elsewhere is a cancelled context's last word: it moves
// the socket's deadline into the past, and that socket is never used again.
//
// # The keys
//
// A client copies its tenant's keys once, into memory of its own, of which everything
// that it sends is made: headers, the first message of a feed. What it sent lies in one
// buffer, which does not grow (that would leave copies). Hangup overwrites that buffer,
// Close the keys as well; then nothing of this package holds them. TLS's buffers hold
// what was sent encrypted, those of websockets masked; with an injected transport, what
// net/http copied is beyond our reach.
//
// # The connection
//
//	        dial, TLS                 write                  whole answer
//	none ─────────────▶ dialled ────────────▶ awaiting ───────────────────▶ idle
//	  ▲     failed:        │ expired: kept       │                            │
//	  │     Unsent         │ and idle            │ anything else              │ next call
//	  │                    ▼                     ▼                            ▼
//	  └─────────────────────────────────────── broken ◀──── not silent ──── peek
//	                                                        silent ──▶ write
//
// Broken means closed at once: by an error, a cancellation, an answer that is too
// large or says close, bytes after an answer. A server that closed an idle
// connection is found out by the peek before a byte is risked; what the peek cannot
// see is a close under way, and that ends as Unknown.
//
// # The second line
//
// A client that serves as [broker.Books] reads lists over the same kind of connection. Its
// feed is dialled anew for each; whoever follows it owns it. With a tenant's own keys it is a
// websocket. The feed's one goroutine asks for signs of life and closes a connection that
// gives none; what was missed then, the lists tell:
//
//	       authenticate, listen          every Ping          no answer, nothing read
//	dialled ───────────────────▶ open ─────────────▶ asked ───────────────────────▶ closed
//	                              ▲                    │                               ▲
//	                              └──── answered ──────┘      cut, nonsense, Close ────┘
//
// # The Broker API
//
// With an account, the keys are a correspondent's, who acts for many. The SDK still makes
// addresses of the Trading API; the line turns each into the account's own, and sends none
// that it cannot:
//
//	/v2/…                         /v1/trading/accounts/{account}/…
//	/v2/account/activities/FILL   /v1/accounts/activities/FILL?account_id={account}
//	the websocket                 /v2/events/trades, server-sent events of all accounts
//
// The last two show what is others' as well if the broker does not sort it out. So a fill or
// an event that does not say whose it is ends the list or the feed, another account's fill
// likewise, and of another account's events nothing but the account is read.
//
//	       200               12 pings long not a line, cut, nonsense, a comment
//	GET ────────▶ open ───── other than welcome and heartbeat, no account ──▶ ended
//	              │  ▲                                                        ▲
//	        event └──┘ ours: told; another's: skipped         Close ──────────┘
//
// Whoever calls Next reads by himself; there is no goroutine. A comment may say that messages
// were dropped; one that is not known may say so in other words.
//
// Not confirmed at the real Broker API, and so either right under both readings or a question
// for a sandbox:
//
//   - that the stream leaves nothing out from its 200 on (what it did, the lists tell at the
//     next look), and how many streams a correspondent may have open: every follower has one,
//     and reads past what is others';
//   - how often it sends heartbeats: if less often than every 12 pings, a feed on which
//     nothing happens ends and opens again;
//   - the answer for an account that is another correspondent's: 403, or 404 that speaks of the
//     account, which is no proof that it has no such order;
//   - before_order_id and after_order_id in its list of orders; Retry-After.
//
// # What a fault proves
//
//	no connection; the first write took no byte         Unsent
//	notAfter passed, asked after dial and handshake     Expired
//	a byte left, and no whole answer came back          Unknown
//	2xx whose JSON body shows what it should            Accepted, Found
//	2xx that does not; 3xx; 408, 425, 5xx, the rest     Unknown
//	400 401 403 404 405 409 410 413 415 422             Rejected
//	404 in Alpaca's own JSON, of a lookup or a cancel   NotFound (another 404, or one that
//	                                                    speaks of the account: Unknown)
//	429                                                 RetryAfter
//
// An order proves acceptance if it is valid JSON with a broker's id and the client
// order id that was sent. A call that must not be made (an empty id, an id that
// would change the path) is Rejected without an HTTP status: nothing was sent.
//
// # The SDK's traps
//
// Each is closed here, and has the test TestTrap… in traps_test.go:
//
//	on 429 it sleeps, then sends an empty body   RetryOn429SendsNoBody
//	429 and 207 bodies are never closed          BodiesNeverClosed
//	APCA_* variables win over a tenant's keys    EnvironmentFallback
//	no keys: somebody else's; no URL: live       EmptyConfigMeansSomebodyElse
//	redirects carry the keys to other hosts      RedirectCarriesKeysAway
//	an Idempotency-Key makes net/http replay     IdempotencyKeyReplays
//	no Content-Type on POST                      NoContentType
//	no context, no deadline                      NoContext
//	the status of odd errors is lost             StatusOfOddErrorsIsLost
//	an empty 200 is EOF                          Empty200IsEOF
//	"qty":"" breaks decoding                     EmptyNumbersBreakDecoding
//	clients share the default transport          DefaultTransportIsShared
//	CancelOrder("") cancels all                  CancelOfNothingCancelsAll
//	the decimal package's settings are global    DecimalSettingsAreGlobal
//	fields it has no place for                   FieldsTheSDKDropsOrAdds
//
// It also accepts bodies that are not JSON (FuzzResponse found that). Two more do
// not arise: its lists cut times to seconds and its stream ends in silence, and
// neither is used; only the types of their answers are.
//
// The SDK writes absent fields as null or "", never leaving them out; Alpaca takes
// that from every program built on it, so only advanced_instructions, which it
// cannot say, is added on the way out.
//
// # Not supported, on purpose
//
// HTTP/2 and compressed answers are not asked for. HTTP_PROXY and its like are not
// read, as nothing else is from the environment.
package alpaca
