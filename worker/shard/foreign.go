package shard

import (
	"bytes"
	"fmt"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// signature is how the outcomes of one ownership say whose they are. Looking for it costs a
// fraction of reading each.
func signature(worker string, epoch uint64) []byte {
	data, err := order.EncodeOutcome(order.Outcome{Worker: worker, Epoch: epoch})
	if err != nil {
		panic(fmt.Sprintf("shard: an outcome without content cannot be encoded: %v", err))
	}
	at := bytes.Index(data, []byte(`"worker":`))
	return append(data[at:len(data)-1], ',') // something follows, in every real one
}

// ours says whether an outcome was written under this ownership of the shard.
func (s *shard) ours(e ledger.Entry) bool {
	if bytes.Contains(e.Data, s.signature) {
		return true
	}
	o, err := order.DecodeOutcome(e.Data)
	return err == nil && o.Worker == s.cfg.Session.Worker && o.Epoch == s.lease.Epoch
}

// supersede tells a session, once, that an outcome of an earlier owner arrived after all.
func (t *served) supersede() {
	if !t.stale {
		t.stale = true
		close(t.superseded)
	}
}
