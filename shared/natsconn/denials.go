package natsconn

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/nats-io/nats.go"
)

// UserInfo is where a server tells a user who it is to the server.
const UserInfo = "$SYS.REQ.USER.INFO"

// infoTimeout bounds the question who we are.
const infoTimeout = 2 * time.Second

// DeniedError says that the server does not let us publish to a subject. It wraps
// [nats.ErrPermissionViolation].
type DeniedError struct {
	Subject string
	// Who we are to the server, as far as it tells.
	Who string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("the NATS server does not let %s publish to %q: its role does not allow it; deploy/nats/README.md says whose does", cmp.Or(e.Who, "us"), e.Subject)
}

// Unwrap is the client library's word for it.
func (*DeniedError) Unwrap() error { return nats.ErrPermissionViolation }

// Denials joins two halves of one failure: a publish that the server does not permit is
// answered by nobody, and the reason arrives by itself, at the connection's error handler.
// Safe for concurrent use.
type Denials struct {
	mu      sync.Mutex
	waiting map[string]*denial // by the subjects that a violation may name, quoted, one behind the other
}

// denial is told to all publishes under way to one subject.
type denial struct {
	subjects []string // what a violation may call it, quoted
	waiters  int
	denied   chan struct{} // closed when the server says so
}

// all are those of each connection: one handler serves everybody who publishes over it.
var all = struct {
	sync.Mutex
	of map[weak.Pointer[nats.Conn]]*Denials
}{of: make(map[weak.Pointer[nats.Conn]]*Denials)}

// DenialsOf are those of a connection. The first time it adds to the connection's error
// handler, which is told of every violation that no publish waits for; set your own before.
func DenialsOf(nc *nats.Conn) *Denials {
	all.Lock()
	defer all.Unlock()
	key := weak.Make(nc)
	d := all.of[key]
	if d == nil {
		d = &Denials{waiting: make(map[string]*denial)}
		all.of[key] = d
		runtime.AddCleanup(nc, func(key weak.Pointer[nats.Conn]) {
			all.Lock()
			defer all.Unlock()
			delete(all.of, key)
		}, key)
		d.hear(nc)
	}
	return d
}

func (d *Denials) hear(nc *nats.Conn) {
	next := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if sub == nil && errors.Is(err, nats.ErrPermissionViolation) && d.tell(err.Error()) {
			return // whoever published returns it
		}
		if next != nil {
			next(nc, sub, err)
		}
	})
}

// tell closes the denials whose subject a violation names. The subject is in its text
// alone.
func (d *Denials) tell(violation string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := false
	for key, w := range d.waiting {
		if slices.ContainsFunc(w.subjects, func(s string) bool { return strings.Contains(violation, s) }) {
			close(w.denied)
			delete(d.waiting, key)
			told = true
		}
	}
	return told
}

// Watch returns a channel that is closed if the server denies a publish to a subject. If the
// account maps it, the server may call it by either name: give both.
func (d *Denials) Watch(subjects ...string) (denied <-chan struct{}, release func()) {
	quoted := make([]string, len(subjects))
	for i, s := range subjects {
		quoted[i] = strconv.Quote(s)
	}
	key := strings.Join(quoted, "")
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.waiting[key]
	if w == nil {
		w = &denial{subjects: quoted, denied: make(chan struct{})}
		d.waiting[key] = w
	}
	w.waiters++
	return w.denied, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if w.waiters--; w.waiters == 0 && d.waiting[key] == w {
			delete(d.waiting, key)
		}
	}
}

// Permitted makes a request to a subject, and ends it as soon as the server denies it: the
// error is then a [*DeniedError]. Else it is the request's own.
func Permitted(ctx context.Context, nc *nats.Conn, subject string, request func(context.Context) error) error {
	d := DenialsOf(nc)
	denied, err := d.unless(ctx, subject, request)
	if denied {
		return &DeniedError{Subject: subject, Who: d.whoami(ctx, nc)}
	}
	return err
}

// unless makes a request, and ends it as soon as the server denies it.
func (d *Denials) unless(ctx context.Context, subject string, request func(context.Context) error) (denied bool, err error) {
	ends, release := d.Watch(subject)
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-ends:
			cancel()
		case <-ctx.Done():
		}
	})
	if err = request(ctx); err == nil {
		return false, nil
	}
	select {
	case <-ends:
		return true, err
	default:
		return false, err
	}
}

// whoami asks the server who we are to it: a user's name if it has one, or its account's.
func (d *Denials) whoami(ctx context.Context, nc *nats.Conn) string {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	var answer struct {
		Data struct {
			Account string `json:"account"`
			User    string `json:"user_name"`
		} `json:"data"`
	}
	if _, err := d.unless(ctx, UserInfo, func(ctx context.Context) error {
		m, err := nc.RequestWithContext(ctx, UserInfo, nil)
		if err != nil {
			return err
		}
		return json.Unmarshal(m.Data, &answer)
	}); err != nil {
		return "" // it remains unsaid
	}
	return cmp.Or(answer.Data.User, answer.Data.Account)
}
