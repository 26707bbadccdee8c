// Package worker is a worker process without its command line: it takes shards of the
// ledger and serves them.
//
//	fleet    which shards are ours, and since which epoch
//	  shard    folds a shard's stream, starts sessions, routes intents to them
//	    session  one goroutine a tenant: submit, resolve, commit
//	      risk     the pre-trade checks: what may not go to the broker, and why
//	    updates  one goroutine a tenant with open orders: fills and ends reach the ledger
//	      outage   whether a broker is down, or some of its tenants are in trouble
//	      broker   what a session needs of a broker
//	        alpaca   the broker, over a connection that the session's goroutine owns
//	custody  what tenants change of their own keys
//
// Everything a worker knows it can get back by folding the ledger again.
package worker
