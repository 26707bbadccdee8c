package pool

import (
	"slices"
	"time"

	"github.com/orderfleet/orderfleet/shared/tenant"
	"github.com/orderfleet/orderfleet/worker/broker"
)

// till is a worker's part in a pool, without its wires: it is told the time. It knows who
// waits, asks the banker for all of them, and gives out what comes.
type till struct {
	name   string
	client string
	pool   tenant.Pool
	known  bool // pool is what is registered
	plan
	shares *shares

	number uint64            // of the last ask
	sent   [asksKept]timedAt // when the last asks were sent
	epoch  uint64            // of the banker that was heard last
	heard  uint64            // number of its last grant
	alive  time.Time         // when that came, or when somebody began to wait for one

	waiting map[tenantClass]*waiters
	order   []*Waiter // all of them, first come first served
	spare   []*Token  // for nobody who waits yet
	urge    bool      // somebody waits of whom the banker does not know

	used   []arrival // of the banker's tokens, not reported yet
	back   []uint64
	limits *answered
	away   time.Time // the broker wants to see nobody before

	loose     *places // of what no banker handed out
	looseID   uint64
	asked     time.Time // when the last ask was sent
	lastTouch time.Time
}

// asksKept is of how many asks it is remembered when they were sent.
const asksKept = 64

type timedAt struct {
	number uint64
	at     time.Time
}

type tenantClass struct {
	tenant string
	class  Class
}

// waiters are those of a tenant in a class.
type waiters struct {
	weight int
	line   []*Waiter
	took   int // tokens, since the last ask
	asked  int // tokens that the last ask wants, less those that came
}

type arrival struct {
	id   uint64
	late time.Time
}

// answered is what an answer of the broker's said of the limit.
type answered struct {
	remaining int
	at, reset time.Time
}

// Token is leave for one request of a pool. Whoever has one reports what became of it, once:
// [Client.Used] or [Client.Back].
type Token struct {
	// Until is when the request has to be written, at the latest.
	Until time.Time

	till  *till
	key   tenantClass
	id    uint64
	epoch uint64 // 0: no banker handed it out
}

const (
	// patience is for how long a banker may be silent before workers fall back on what is
	// theirs.
	patience = time.Second
	// ahead bounds how many tokens a tenant gets before it wants them, since it will.
	ahead = 16
	// hurry is how many asks there are at most in the time of a usual one, for somebody who
	// waits.
	hurry = 4
	// lazy is how many usual times reports may wait if nobody else does.
	lazy = 4
)

func newTill(name, client string, sh *shares, now time.Time) *till {
	return &till{name: name, client: client, shares: sh, waiting: make(map[tenantClass]*waiters), loose: newPlaces(0), lastTouch: now}
}

// set takes over what is registered of the pool.
func (t *till) set(p tenant.Pool, known bool) {
	if known == t.known && p == t.pool {
		return
	}
	if t.pool, t.known = p, known; known {
		t.plan = planOf(p)
		t.loose.window = t.window
	}
}

// join lets somebody wait.
func (t *till) join(now time.Time, w *Waiter) {
	t.lastTouch = now
	if len(t.order) == 0 && now.Sub(t.asked) > patience {
		t.alive = now // nobody was asked
	}
	ws := t.waiting[w.key]
	if ws == nil {
		ws = new(waiters)
		t.waiting[w.key] = ws
	}
	ws.weight = w.weight
	if tok := t.fromSpare(now, w.key); tok != nil {
		ws.took++
		w.tokens <- tok
		return
	}
	ws.line = append(ws.line, w)
	t.order = append(t.order, w)
	t.urge = t.urge || ws.asked < len(ws.line)
}

// leave takes somebody out who waits no more. A token that it was given is in its channel.
func (t *till) leave(w *Waiter) {
	i := slices.Index(t.order, w)
	if i < 0 {
		return
	}
	t.order = slices.Delete(t.order, i, i+1)
	ws := t.waiting[w.key]
	ws.line = slices.DeleteFunc(ws.line, func(o *Waiter) bool { return o == w })
}

// fromSpare takes a token that is there already.
func (t *till) fromSpare(now time.Time, k tenantClass) *Token {
	for i, tok := range t.spare {
		if tok.key == k && tok.Until.After(now) {
			t.spare = slices.Delete(t.spare, i, i+1)
			return tok
		}
	}
	return nil
}

// give gives a token to the first who waits for it.
func (t *till) give(w *Waiter, tok *Token) {
	t.leave(w)
	t.waiting[w.key].took++
	w.tokens <- tok // it has room for one, and gets one
}

// grant takes in what the banker says.
func (t *till) grant(now time.Time, g *grant) {
	if g.Epoch < t.epoch || g.Epoch == t.epoch && g.Number <= t.heard {
		return
	}
	if g.Epoch > t.epoch {
		t.epoch, t.used, t.back = g.Epoch, nil, nil // the new one knows nothing of the old one's
	}
	t.heard, t.alive = g.Number, now
	sent := t.sent[g.Echo%asksKept]
	for i := range g.Tokens {
		one := &g.Tokens[i]
		k := tenantClass{one.Tenant, one.Class}
		ws := t.waiting[k]
		if ws != nil && ws.asked > 0 {
			ws.asked--
		}
		until := sent.at.Add(ofMicros(one.AfterMicros) + t.life)
		tok := &Token{Until: until, till: t, key: k, id: one.ID, epoch: g.Epoch}
		switch {
		case sent.number != g.Echo || !until.After(now):
			t.back = append(t.back, one.ID)
		case ws != nil && len(ws.line) > 0:
			t.give(ws.line[0], tok)
		default:
			t.spare = append(t.spare, tok)
		}
	}
}

// report takes in what became of a token: its request was written, and answered as the
// verdict says.
func (t *till) report(now time.Time, tok *Token, v *broker.Verdict) {
	if v == nil || v.Submitted.IsZero() {
		t.giveBack(tok)
		return
	}
	// The request arrived before its answer came, and soon after it was written.
	late := v.Submitted.Add(t.transit)
	if !v.Answered.IsZero() && v.Answered.Before(late) {
		late = v.Answered
	}
	switch {
	case tok.epoch == 0:
		t.loose.arrived(tok.id, late)
	case tok.epoch == t.epoch:
		t.used = append(t.used, arrival{tok.id, late})
	}
	if l := v.Limits; l.Limit > 0 {
		t.limits = &answered{l.Remaining, v.Answered, v.Answered.Add(l.Reset)}
	}
	if v.Kind == broker.RetryAfter && v.Wait > 0 {
		t.away = now.Add(v.Wait)
		t.urge = true
	}
}

func (t *till) giveBack(tok *Token) {
	switch {
	case tok.epoch == 0:
		t.loose.back(tok.id)
	case tok.epoch == t.epoch:
		t.back = append(t.back, tok.id)
	}
}

// lapse gives spare tokens back whose time is over.
func (t *till) lapse(now time.Time) {
	t.spare = slices.DeleteFunc(t.spare, func(tok *Token) bool {
		if tok.Until.After(now) {
			return false
		}
		t.giveBack(tok)
		return true
	})
}

// tick does what is due, and returns what the banker is to be told, if that is anything.
func (t *till) tick(now time.Time) *ask {
	if !t.known {
		return nil
	}
	t.lapse(now)
	t.fallBack(now)
	if now.Before(t.askAt()) || !t.wanting() && !t.reporting() {
		return nil
	}
	return t.ask(now)
}

// wanting says that there is something to ask for.
func (t *till) wanting() bool {
	if len(t.order) > 0 || t.urge {
		return true
	}
	for _, ws := range t.waiting {
		if ws.asked > 0 { // nobody waits any more: it is to be unsaid
			return true
		}
	}
	return false
}

func (t *till) reporting() bool { return len(t.used)+len(t.back) > 0 }

// askAt is when the next ask may be sent, if there is anything to say.
func (t *till) askAt() time.Time {
	switch {
	case t.urge:
		return t.asked.Add(t.repeat / hurry)
	case len(t.order) > 0:
		return t.asked.Add(t.repeat)
	}
	return t.asked.Add(lazy * t.repeat)
}

// ask says all that is wanted, and what became of tokens.
func (t *till) ask(now time.Time) *ask {
	t.number++
	t.sent[t.number%asksKept] = timedAt{t.number, now}
	a := &ask{Version: version, Pool: t.name, Client: t.client, Number: t.number, Epoch: t.epoch, Heard: t.heard}
	t.state(a)
	later := t.used[:0]
	for _, u := range t.used {
		if u.late.After(now) || len(a.Used) == maxReports/2 {
			later = append(later, u)
			continue
		}
		a.Used = append(a.Used, used{u.id, micros(now.Sub(u.late))})
	}
	t.used = later
	n := min(len(t.back), maxReports/2)
	a.Back, t.back = t.back[:n:n], t.back[n:]
	if l := t.limits; l != nil {
		a.Limits = &limits{max(l.remaining, 0), micros(l.reset.Sub(now)), max(micros(now.Sub(l.at)), 0)}
		t.limits = nil
	}
	if t.away.After(now) {
		a.AwayMicros = micros(t.away.Sub(now))
	}
	t.asked, t.urge = now, false
	return a
}

// state puts into an ask what is wanted: first what is urgent, then who waits longest. Who got
// tokens since the last ask will want as many before the next one.
func (t *till) state(a *ask) {
	at := make(map[string]int) // of the tenant, in a
	spare := make(map[tenantClass]int, len(t.spare))
	for _, tok := range t.spare {
		spare[tok.key]++
	}
	put := func(k tenantClass, ws *waiters) {
		i, ok := at[k.tenant]
		if !ok {
			if len(a.Wants) == maxWants {
				return
			}
			i = len(a.Wants)
			at[k.tenant] = i
			a.Wants = append(a.Wants, wanted{Tenant: k.tenant, Weight: ws.weight})
		}
		n := len(ws.line)
		if k.class == Ordinary {
			n += max(min(ws.took, ahead)-spare[k], 0)
			a.Wants[i].Weight = ws.weight
		}
		*a.Wants[i].of(k.class) = n
		ws.asked, ws.took = n, 0
	}
	for _, ws := range t.waiting {
		ws.asked = 0
	}
	for _, urgent := range []bool{true, false} {
		for _, w := range t.order {
			if ws := t.waiting[w.key]; (w.key.class == Urgent) == urgent && ws.asked == 0 {
				put(w.key, ws)
			}
		}
	}
	for k, ws := range t.waiting {
		switch {
		case ws.asked > 0:
		case ws.took > 0 && k.class == Ordinary:
			put(k, ws)
		case len(ws.line) == 0:
			delete(t.waiting, k)
		}
	}
}

// fallBack gives out what is this worker's own while no banker answers.
func (t *till) fallBack(now time.Time) {
	if len(t.order) == 0 || now.Sub(t.alive) < patience || now.Before(t.away) {
		return
	}
	share := t.shares.share(&t.plan, now)
	for t.loose.taken(now) < share {
		w := t.neediest()
		if w == nil {
			return
		}
		t.looseID++
		t.loose.take(t.looseID, now.Add(keep)) // until it is known
		t.give(w, &Token{Until: now.Add(t.life), till: t, key: w.key, id: t.looseID})
	}
}

// neediest is who comes first: what is urgent, then who waits longest.
func (t *till) neediest() *Waiter {
	for _, class := range []Class{Urgent, Ordinary} {
		if i := slices.IndexFunc(t.order, func(w *Waiter) bool { return w.key.class == class }); i >= 0 {
			return t.order[i]
		}
	}
	return nil
}

// next is when tick has something to do; zero is never.
func (t *till) next(now time.Time) (at time.Time) {
	if !t.known {
		return time.Time{}
	}
	sooner := func(u time.Time) {
		if at.IsZero() || u.Before(at) {
			at = u
		}
	}
	if t.wanting() || t.reporting() {
		sooner(t.askAt())
	}
	for _, tok := range t.spare {
		sooner(tok.Until)
	}
	if len(t.order) > 0 {
		if now.Sub(t.alive) < patience {
			sooner(t.alive.Add(patience))
		} else if free := t.loose.free(); !free.IsZero() && free.After(now) {
			sooner(free)
		}
	}
	return at
}

// idle says that nothing is lost if the till is forgotten.
func (t *till) idle(now time.Time) bool {
	return len(t.order)+len(t.spare) == 0 && t.loose.taken(now) == 0 && now.Sub(t.lastTouch) > keep
}
