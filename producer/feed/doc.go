// Package feed reads files of orders, JSON lines or CSV, and publishes them.
//
// What cannot be read is reported with its line and its reason, and the rest goes on. An
// import that is run twice, or was cut and is run again, publishes nothing twice: a line
// without an id gets one that depends on the line alone, and ids that the ledger holds
// already are left out.
package feed
