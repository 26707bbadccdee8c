package pool

import (
	"container/heap"
	"time"
)

// places are the requests that may be in a window which ends now or later: each takes a place
// from the moment on at which its token is handed out, until the window is over that begins
// with the latest moment at which it can have arrived.
type places struct {
	window time.Duration
	heap   placeHeap
	byID   map[uint64]*place
}

type place struct {
	id    uint64
	late  time.Time // when the request arrived, at the latest
	index int       // in the heap
}

func newPlaces(window time.Duration) *places {
	return &places{window: window, byID: make(map[uint64]*place)}
}

// taken is how many places are taken at a time.
func (p *places) taken(now time.Time) int {
	for len(p.heap) > 0 && !p.heap[0].late.Add(p.window).After(now) {
		one, _ := heap.Pop(&p.heap).(*place)
		delete(p.byID, one.id)
	}
	return len(p.heap)
}

// free is when the next place becomes free; zero if none is taken.
func (p *places) free() time.Time {
	if len(p.heap) == 0 {
		return time.Time{}
	}
	return p.heap[0].late.Add(p.window)
}

// take takes a place for a request that will have arrived at late, or never will.
func (p *places) take(id uint64, late time.Time) {
	one := &place{id: id, late: late}
	p.byID[id] = one
	heap.Push(&p.heap, one)
}

// arrived notes that a request arrived at late, or before.
func (p *places) arrived(id uint64, late time.Time) {
	if one := p.byID[id]; one != nil {
		one.late = late
		heap.Fix(&p.heap, one.index)
	}
}

// back notes that a request was never made, and never will be.
func (p *places) back(id uint64) {
	if one := p.byID[id]; one != nil {
		heap.Remove(&p.heap, one.index)
		delete(p.byID, id)
	}
}

// since is how many arrived after a time, or may have.
func (p *places) since(t time.Time) (n int) {
	for _, one := range p.heap {
		if one.late.After(t) {
			n++
		}
	}
	return n
}

// placeHeap implements [heap.Interface]: the first that becomes free is on top.
type placeHeap []*place

func (h placeHeap) Len() int           { return len(h) }
func (h placeHeap) Less(i, j int) bool { return h[i].late.Before(h[j].late) }
func (h placeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *placeHeap) Push(x any) {
	one, _ := x.(*place)
	one.index = len(*h)
	*h = append(*h, one)
}

// Pop implements [heap.Interface].
func (h *placeHeap) Pop() any {
	last := len(*h) - 1
	one := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return one
}
