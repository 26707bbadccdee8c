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
// steps leaves a blob to which nothing points; it opens for workers alone, and as that tenant's,
// and goes when the tenant's credentials are next sealed anew ([Vault.Sweep]).
//
// Who may write needs to read no blob; who opens needs to write nothing. So credentials are
// sealed anew, to other recipients, by two: a worker opens and seals them ([Vault.Reseal]), an
// operator puts them in the place of the old ones ([Vault.Replace]).
//
// A tenant's own user may set that tenant's, and no other's: its signature is on the list of
// operators for that alone, and the server's permissions let it write no other key.
//
// Credentials are set for the broker that the tenant's settings name then, and are shown to no other:
// who may write settings could else have a worker send them to a broker of his own, and so read what
// nobody but a worker opens. After a change of the broker they are set again.
//
// A [Directory] is what workers look tenants up in: settings from the registry, credentials
// from the vault, opened at each call, for the caller to wipe.
package vault
