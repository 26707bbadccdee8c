package shard

import "slices"

// queue is the tenants that wait for a session, each once, first come first served.
type queue struct {
	names []string
	in    map[string]struct{}
}

// push adds a tenant and says whether it was not there yet.
func (q *queue) push(name string) bool {
	if _, ok := q.in[name]; ok {
		return false
	}
	if q.in == nil {
		q.in = make(map[string]struct{})
	}
	q.in[name] = struct{}{}
	q.names = append(q.names, name)
	return true
}

func (q *queue) pop() string {
	name := q.names[0]
	q.names = q.names[1:]
	delete(q.in, name)
	return name
}

// take removes the first one that is ready; there may be none.
func (q *queue) take(ready func(name string) bool) (name string, ok bool) {
	i := slices.IndexFunc(q.names, ready)
	if i < 0 {
		return "", false
	}
	name = q.names[i]
	q.names = slices.Delete(q.names, i, i+1)
	delete(q.in, name)
	return name, true
}

func (q *queue) has(name string) bool {
	_, ok := q.in[name]
	return ok
}

func (q *queue) len() int { return len(q.names) }
