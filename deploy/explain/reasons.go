package explain

import "github.com/orderfleet/orderfleet/shared/order"

// Code names a reason for an intent to wait.
type Code string

// The codes. Those of package order's waits ([order.Why]) are codes, too, where the owner of
// the shard tells them.
const (
	Overdue Code = "overdue"  // it has expired, and was not ended yet
	Unowned Code = "unowned"  // nobody owns the shard
	Behind  Code = "behind"   // earlier intents of the tenant come first
	Held    Code = "held"     // an intent failed, and the tenant's policy is to wait
	MayHold Code = "may_hold" // the same, if that is the policy: the ledger does not say
	// NoAnswer: the owner of the shard does not say what it knows.
	NoAnswer Code = "no_answer"
	Unread   Code = "unread"  // the owner of the shard has not read the intent yet
	AtWork   Code = "at_work" // the owner does what it asks for
	Over     Code = "over"    // it was done while it was asked about
	AsOf     Code = "as_of"   // what was read is no running ledger: more may have come
)

// whys say what an intent waited for.
var whys = map[order.Why]string{
	order.WhyRateLimit: "for the tenant's rate limit",
	order.WhyBackOff:   "before the next try",
	order.WhyBreaker:   "for the broker, which failed again and again",
	order.WhySettle:    "until the broker had shown no trace of the order for long enough",
	order.WhyPlace:     "for a place: more tenants had work than the worker serves at once",
	order.WhyPool:      "for the tenant's turn in its rate pool",
	order.WhyPaused:    "until an operator lets the tenant go on",
	order.WhySilence:   "for the lease of the shard, of which the worker was not sure",

	whyBehind: "behind the tenant's earlier intents",
	whyHeld:   "held: an intent before it had failed",
	whyOwner:  "for an owner of the shard, or with one that did not end it",
	whyTurn:   "to be taken up",
}

// The reasons that the ledger itself shows, beside those that outcomes tell.
const (
	whyBehind order.Why = "behind"
	whyHeld   order.Why = "held"
	whyOwner  order.Why = "owner"
	whyTurn   order.Why = "turn"
)

// why says for people what was waited for, also if a newer worker gave a reason that is not
// known here.
func why(w order.Why) string {
	if text, ok := whys[w]; ok {
		return text
	}
	return "for " + string(w)
}

const noAnswer = "no answer of use"

// verdicts say what an answer, or the lack of one, proves.
var verdicts = map[order.Verdict]string{
	order.VerdictAccepted:   "accepted",
	order.VerdictFound:      "found",
	order.VerdictNotFound:   "not there",
	order.VerdictRejected:   "refused",
	order.VerdictRetryAfter: "refused for now",
	order.VerdictUnknown:    noAnswer + ": it may have been booked",
	order.VerdictUnsent:     "not sent",
	order.VerdictExpired:    "not sent: its time was over",
}

// calls say what was asked of the broker.
var calls = map[order.Call]string{
	order.CallPlace:     "place the order",
	order.CallReplace:   "replace the order",
	order.CallCancel:    "cancel the order",
	order.CallCancelAll: "cancel all orders",
	order.CallLookup:    "look the order up",
	order.CallPosition:  "look the position up",
}

// word is a code in words, or the code itself if it is of a newer worker.
func word[T ~string](words map[T]string, code T) string {
	if text, ok := words[code]; ok {
		return text
	}
	return string(code)
}

// ends say what a status means.
var ends = map[order.Status]string{
	order.Accepted:  "the broker has it",
	order.Rejected:  "the broker refused it",
	order.Blocked:   "a rule of the fleet refused it",
	order.Expired:   "its time ran out",
	order.Duplicate: "its id was used before",
	order.Invalid:   "it is malformed",
	order.Failed:    "nobody knows what became of it: look at the broker, then fleetctl failed retry",
}

// checks say what the checks before any request came to, by the outcome.
var checks = map[order.Status]string{
	order.Blocked:   "not allowed",
	order.Expired:   "too late",
	order.Duplicate: "not new",
	order.Invalid:   "malformed",
}
