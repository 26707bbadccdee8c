package ledger

import "encoding/binary"

// seqs is a queue of growing sequence numbers, kept as the differences between them: a
// byte or two each.
type seqs struct {
	diffs []byte
	off   int    // of the first difference that was not popped
	n     int    // how many there are
	head  uint64 // the last number popped
	tail  uint64 // the last number pushed
}

func (q *seqs) len() int { return q.n }

func (q *seqs) push(seq uint64) {
	q.diffs = binary.AppendUvarint(q.diffs, seq-q.tail)
	q.tail = seq
	q.n++
}

// first is the number that pop would return. There must be one.
func (q *seqs) first() uint64 {
	diff, _ := binary.Uvarint(q.diffs[q.off:])
	return q.head + diff
}

func (q *seqs) pop() uint64 {
	diff, size := binary.Uvarint(q.diffs[q.off:])
	q.off += size
	q.n--
	q.head += diff
	if q.off > len(q.diffs)/2 && q.off > 64 { // give back what was popped
		q.diffs = append([]byte(nil), q.diffs[q.off:]...)
		q.off = 0
	}
	return q.head
}
