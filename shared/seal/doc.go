// Package seal closes tenants' credentials so that only workers can open them, with age
// (filippo.io/age), to the workers' X25519 recipients.
//
//	fleetctl, producer                     NATS                          worker
//	  credentials --Seal--> blob --> CREDENTIALS <tenant>.<digest> --Open--> credentials, in the
//	                  for the public     ^                                   session that needs them
//	                  halves             | digest
//	                             TENANTS credential.<tenant>, a signed record
//
// Whoever knows the recipients can seal; nobody without an identity can open, be it an
// operator, a producer, the NATS server or its backups. A blob is named after its content, and
// names its tenant inside: one that is put in the place of another, or under another tenant's
// key, does not open. Who put it there is what the record's signature says.
//
// # What stays in memory
//
// [Open] leaves one copy of the credentials that is the caller's, and can be wiped
// ([tenant.Credentials.Wipe]). The plaintext that it read is overwritten. What package age
// used underway (two buffers of 64 KiB, the file's key) is garbage that the runtime overwrites
// when it uses the memory again, at a time that nobody promises.
package seal
