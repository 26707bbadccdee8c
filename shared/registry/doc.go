// Package registry is who the tenants are, what they may do, and who said so: the bucket
// TENANTS, whose keys [Key] tells.
//
//	operator --Store.Write--> record: what, who, when, why, signed
//	                             |  compare-and-set on the key's last change
//	                             v
//	                     KV_TENANTS, a stream    keeps every change; no deletes, no purges
//	                       |                |
//	      last of each key, then each       all of them
//	                       v                v
//	       Registry, one a worker           Store.History: who did what
//	                       v
//	       Terms of each tenant
//
// The bucket is a ledger as well: a change is its own record, so that there is none without the
// other. What a key holds is what its last record says that counts. A record counts if
//
//   - it is well-formed, and its content is valid;
//   - it stands right behind the change of its key that it was signed to stand behind, whether
//     that one counts or not. So none can be written again, nor under another key: nothing
//     ever leaves the bucket, and a place in it is taken once;
//   - its signature is its signer's, the key of a NATS user;
//   - the signer may make the change, by the list of operators that stood when it was written.
//
// Any other is passed over by all alike, shown by the history as not verified, and changes
// nothing: not even whoever may write the bucket can change a tenant's terms without a key.
//
// The list of operators is a key itself. Before there is one, every signature counts, and
// shows merely that the same hand was at work: make the list when the ledger is provisioned.
// It is first made by somebody who is on it, and then changed by those on it alone. A tenant's
// own key may be on it, for that tenant's credential alone. Who leaves the list can sign
// nothing more; what they signed before stays, until somebody changes it. Whoever may delete
// the stream itself can begin it anew without a list, and is not what this is against: the
// server's permissions are.
//
// What a key held, and who held the pen, stays for ever: nothing secret belongs there. A
// tenant's keys are sealed, in the bucket CREDENTIALS, and only their digest is here.
//
// A [Registry] is in one of these states:
//
//	unread --everything that was there is judged--> current --a change--> current
//
// Unread, it pauses everybody. Its goroutine ([Registry.Run]) alone changes it.
package registry
