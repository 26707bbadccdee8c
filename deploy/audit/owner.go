package audit

import (
	"fmt"

	"github.com/orderfleet/orderfleet/deploy/proof"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// epoch takes the record of an epoch. Its owner may write it again, and late.
func (s *shard) epoch(e *ledger.Entry) {
	began, err := ledger.DecodeEpoch(e.Data)
	if err != nil {
		s.find(Unreadable, "", fmt.Sprintf("an epoch: %v", err), e.Seq)
		return
	}
	s.rules(e.Seq, "", began.Worker, began.Epoch)
	s.newest = max(s.newest, began.Epoch)
}

// owner holds the owner of an outcome against the epochs: one worker each, and none before its
// record. Epochs that are older than the stretch, and ledgers of releases that wrote none, have
// no record.
func (s *shard) owner(e *ledger.Entry, o *order.Outcome) {
	s.rules(e.Seq, e.Tenant, o.Worker, o.Epoch)
	if s.newest != 0 && o.Epoch > s.newest {
		s.find(proof.Unannounced, e.Tenant, fmt.Sprintf("outcome %d of %s is of epoch %d, which had not begun", e.Seq, e.Tenant, o.Epoch), e.Seq)
	}
}

// rules holds that an epoch has one worker.
func (s *shard) rules(seq uint64, tenant, worker string, epoch uint64) {
	owner, known := s.owners[epoch]
	switch {
	case !known:
		s.owners[epoch] = worker
	case owner != worker:
		s.find(proof.SharedEpoch, tenant, fmt.Sprintf("message %d is by %s, but epoch %d is that of %s", seq, worker, epoch, owner), seq)
	}
}
