package alpaca

// Credentials are either an OAuth token or a key pair.
type Credentials = struct{ KeyID, Secret, OAuth string }
