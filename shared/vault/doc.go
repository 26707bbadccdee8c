// Package vault keeps tenants' credentials on the NATS server, sealed (package seal), and says
// on the record whose they are and who put them there (package registry).
//
//  1. blob, under <tenant>.<digest>     2. the record moves to the digest
//     who writes ------------------------------------+------------------------------------> CREDENTIALS, TENANTS
//     |  3. the blob before is removed
//
//     record says which     blob      identities
//     worker, as it dials a tenant's line ---------------> blob -----> opened -----> credentials
//
// A change is one compare-and-set on the record: before it the old credentials are the
// tenant's, after it the new ones, and there is no moment without. Whoever dies between the
// steps leaves a blob to which nothing points; it opens for workers alone, and as that tenant's.
//
// Who may write needs to read no blob; who opens needs to write nothing. So credentials are
// sealed anew, to other recipients, by two: a worker opens and seals them ([Vault.Reseal]), an
// operator puts them in the place of the old ones ([Vault.Replace]).
//
// A tenant's own user may change that tenant's, and no other's: its signature is on the list of
// operators for that alone. Behind a border it writes neither bucket, since what it wrote there
// would be kept, and nobody could bound it. It writes a wish ([OfTenant]): one key, whose last
// value alone is kept, with the sealed blob and the signed record. Workers grant wishes
// ([Vault.Grant]), at most [MostWishes] changes of a tenant in a day.
//
//	asked --a worker, record judged, compare-and-set--> in the registry --> wish removed
//	   └── record does not count, or too often ──> told in the worker's log, wish removed
//
// A [Directory] is what workers look tenants up in: settings from the registry, credentials
// from the vault, opened at each call, for the caller to wipe.
package vault
