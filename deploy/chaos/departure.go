package chaos

import "time"

// Departure is what became of the shards when a worker left, or froze, in a calm.
type Departure struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Worker string    `json:"worker"`
	Held   int       `json:"held"`   // shards of the worker
	Moved  int       `json:"moved"`  // of those, to another worker
	Stayed int       `json:"stayed"` // of those, that nobody took while it was watched
	// Others moved although their worker stayed: there must be none.
	Others int `json:"others"`
}

// departure counts the shards that a worker's end moved.
func (e *Event) departure() Departure {
	d := Departure{At: e.At, Kind: e.kind, Worker: e.Target}
	for shard, before := range e.before {
		moved := e.after[shard] != before
		switch {
		case before == e.Target && moved:
			d.Moved++
		case before == e.Target:
			d.Stayed++
		case moved:
			d.Others++
		}
	}
	d.Held = d.Moved + d.Stayed
	return d
}

// addDeparture takes a departure into the report. That it moves nobody else's shards is
// what the assignment promises.
func (r *Report) addDeparture(d Departure) {
	r.Departures = append(r.Departures, d)
	if d.Others > 0 {
		r.flaw("%d shards moved that %s did not hold when it was %s at %s", d.Others, d.Worker, d.Kind, d.At.UTC().Format(time.RFC3339))
	}
}
