package broker

// Line is a tenant's way to its broker, and what its session has to know of both.
type Line struct {
	Client Client
	// Address is the broker's. Tenants with the same address share its outages, and
	// nothing else.
	Address string
	// Keys names the keys that the client has, so that others can be told from them. Empty: the
	// tenant's keys do not change.
	Keys string
	// PerMinute bounds the tenant's requests a minute; 0 is no bound but the one that
	// the broker's answers state.
	PerMinute int
	// HoldOnFailed says that an intent that failed holds the tenant's later ones until an
	// operator releases them.
	HoldOnFailed bool
}
