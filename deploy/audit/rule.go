package audit

import "github.com/orderfleet/orderfleet/deploy/proof"

// The rules that only an audit has.
const (
	Overdue    proof.Rule = "overdue"
	Unreadable proof.Rule = "unreadable"
	StrayEvent proof.Rule = "stray_update"
	LostFill   proof.Rule = "lost_fill"
	SecondFill proof.Rule = "second_fill"
	AfterEnd   proof.Rule = "after_end"
)

// Rules are all rules of an audit.
var Rules = append(proofs(
	proof.MissingOutcome, proof.SecondOutcome, proof.StrayOutcome, proof.Repeated, proof.OutcomeOrder,
	proof.Fenced, proof.SharedEpoch, proof.Unannounced, proof.Misnamed, proof.Early, proof.Stale, proof.NeverInvalid,
	proof.SecondOrder, proof.SharedOrder, proof.BookingOrder, proof.MissingOrder, proof.OtherOrder,
	proof.DeniedOrder, proof.UnexplainedOrder, proof.OtherAccount, proof.Premature,
),
	proof.Law{Rule: Overdue, Class: proof.Lost, Says: "intents without an outcome although their time is over"},
	proof.Law{Rule: Unreadable, Class: proof.Contradicted, Says: "messages of the fleet that cannot be read"},
	proof.Law{Rule: StrayEvent, Class: proof.Contradicted, Says: "updates of orders that were not accepted"},
	proof.Law{Rule: LostFill, Class: proof.Lost, Says: "fills that do not follow from those before them"},
	proof.Law{Rule: SecondFill, Class: proof.Duplicated, Says: "fills that were counted before"},
	proof.Law{Rule: AfterEnd, Class: proof.Contradicted, Says: "updates of orders that had ended"},
)

// proofs are rules that package proof has as well.
func proofs(rules ...proof.Rule) []proof.Law {
	var all []proof.Law
	for _, r := range rules {
		for _, l := range proof.Rules {
			if l.Rule == r {
				all = append(all, l)
			}
		}
	}
	return all
}

// classOf is the class of a rule.
var classOf = func() map[proof.Rule]proof.Class {
	classes := make(map[proof.Rule]proof.Class, len(Rules))
	for _, l := range Rules {
		classes[l.Rule] = l.Class
	}
	return classes
}()
