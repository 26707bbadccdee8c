package proof

import "fmt"

// Class is what kind of harm a violation is.
type Class string

// The classes.
const (
	Lost         Class = "lost"
	Duplicated   Class = "duplicated"
	Reordered    Class = "reordered"
	Contradicted Class = "contradicted"
)

// Rule is something that must hold; it is named by what breaks it.
type Rule string

// The rules.
const (
	MissingIntent    Rule = "missing_intent"
	MissingOutcome   Rule = "missing_outcome"
	SecondOutcome    Rule = "second_outcome"
	StrayOutcome     Rule = "stray_outcome"
	SecondOrder      Rule = "second_order"
	SharedOrder      Rule = "shared_order"
	OutcomeOrder     Rule = "outcome_order"
	BookingOrder     Rule = "booking_order"
	ArrivalOrder     Rule = "arrival_order"
	MissingOrder     Rule = "missing_order"
	OtherOrder       Rule = "other_order"
	DeniedOrder      Rule = "denied_order"
	UnexplainedOrder Rule = "unexplained_order"
	OtherAccount     Rule = "other_account"
	Premature        Rule = "premature"
	NeverRefused     Rule = "never_refused"
	Touched          Rule = "touched"
	Stale            Rule = "stale"
	Fenced           Rule = "fenced"
	Misnamed         Rule = "misnamed"
	Early            Rule = "early"
	NeverInvalid     Rule = "never_invalid"
	NeverBlocked     Rule = "never_blocked"
	GaveUp           Rule = "gave_up"
	Afterlife        Rule = "afterlife"
	StrangeRequest   Rule = "strange_request"
	SharedEpoch      Rule = "shared_epoch"
	Repeated         Rule = "repeated"
	Altered          Rule = "altered"
	Unannounced      Rule = "unannounced"
	Unstopped        Rule = "unstopped"
	Unheeded         Rule = "unheeded"
	Exceeded         Rule = "exceeded"
)

// Law is a rule, its class, and what a violation of it is in words.
type Law struct {
	Rule  Rule
	Class Class
	Says  string
}

// Rules are all rules.
var Rules = []Law{
	{MissingIntent, Lost, "acknowledged publishes that the ledger does not have"},
	{MissingOutcome, Lost, "intents without an outcome"},
	{SecondOutcome, Duplicated, "intents with more than one outcome"},
	{StrayOutcome, Duplicated, "outcomes of no intent"},
	{SecondOrder, Duplicated, "intents with more than one order at the broker"},
	{SharedOrder, Duplicated, "orders that more than one intent was accepted for"},
	{Repeated, Duplicated, "repeats of an id that did not end as duplicates"},
	{OutcomeOrder, Reordered, "outcomes behind one of a later intent"},
	{BookingOrder, Reordered, "orders booked behind one of a later intent"},
	{ArrivalOrder, Reordered, "requests that arrived behind one of a later intent"},
	{MissingOrder, Contradicted, "accepted, but the broker has no order"},
	{OtherOrder, Contradicted, "accepted, but the broker has another order"},
	{DeniedOrder, Contradicted, "not accepted, but the broker has the order"},
	{UnexplainedOrder, Contradicted, "orders that the ledger does not explain"},
	{OtherAccount, Contradicted, "orders and requests on another tenant's account"},
	{Premature, Contradicted, "accepted before the broker had the request"},
	{NeverRefused, Contradicted, "rejected, but the broker refused no request for good"},
	{Touched, Contradicted, "blocked or invalid, but the broker got a request"},
	{Stale, Contradicted, "requests that arrived after their intent had expired"},
	{Fenced, Contradicted, "outcomes by an owner behind one of a newer owner"},
	{Misnamed, Contradicted, "outcomes that name another intent or order than theirs"},
	{Early, Contradicted, "expired before their time"},
	{NeverInvalid, Contradicted, "invalid, but nothing is wrong with the intent"},
	{NeverBlocked, Contradicted, "blocked, but nothing blocks"},
	{GaveUp, Contradicted, "failed before their time was over"},
	{Afterlife, Contradicted, "requests that arrived after their intent's outcome"},
	{StrangeRequest, Contradicted, "requests that bear no intent's client order id"},
	{SharedEpoch, Contradicted, "outcomes of one epoch of a shard by another worker"},
	{Unannounced, Contradicted, "outcomes of an epoch that had not begun"},
	{Altered, Contradicted, "intents on the ledger that are not what was published"},
	{Unstopped, Contradicted, "requests of stopped tenants that arrived after the confirmation"},
	{Unheeded, Contradicted, "intents of stopped tenants that ended as the switch lets none"},
	{Exceeded, Contradicted, "tenants that had more at the broker than a limit lets them"},
}

// classOf is the class of a rule.
var classOf = func() map[Rule]Class {
	classes := make(map[Rule]Class, len(Rules))
	for _, l := range Rules {
		classes[l.Rule] = l.Class
	}
	return classes
}()

// Report is the verdict over a history. Its names in JSON are part of the contract.
type Report struct {
	Acknowledged int `json:"acknowledged,omitempty"` // publishes
	Intents      int `json:"intents"`
	Outcomes     int `json:"outcomes"`
	Orders       int `json:"orders"` // at the broker, with an id of the fleet's
	// Failed is how many intents ended as failed: somebody must look at them. It is no
	// violation. Failures are the first hundred of them.
	Failed   int      `json:"failed"`
	Failures []string `json:"failures,omitempty"`
	// Stopped is what operators' stops came to, Uses how far limits were used; empty if there
	// were none.
	Stopped *Stopped `json:"stopped,omitempty"`
	Uses    []Use    `json:"limits,omitempty"`

	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	Reordered    int `json:"reordered"`
	Contradicted int `json:"contradicted"`
	// Violations counts by rule; those that hold are left out.
	Violations map[Rule]int `json:"violations,omitempty"`
	// Findings explain the violations, the first hundred of them.
	Findings []string `json:"findings,omitempty"`
}

// OK says whether every rule holds.
func (r *Report) OK() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 && r.Contradicted == 0
}

// maxFindings bounds a report's explanations.
const maxFindings = 100

// find notes a violation.
func (r *Report) find(rule Rule, format string, args ...any) {
	switch classOf[rule] {
	case Lost:
		r.Lost++
	case Duplicated:
		r.Duplicated++
	case Reordered:
		r.Reordered++
	case Contradicted:
		r.Contradicted++
	}
	if r.Violations == nil {
		r.Violations = make(map[Rule]int)
	}
	r.Violations[rule]++
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, string(rule)+": "+fmt.Sprintf(format, args...))
	}
}
