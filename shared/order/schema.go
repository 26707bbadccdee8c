package order

import _ "embed" // the schemas

// The messages as JSON Schema 2020-12, for producers and readers in other languages.
var (
	//go:embed schema/intent.json
	IntentSchema string
	//go:embed schema/outcome.json
	OutcomeSchema string
	//go:embed schema/update.json
	UpdateSchema string
	//go:embed schema/control.json
	ControlSchema string
)
