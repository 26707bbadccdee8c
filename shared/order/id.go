package order

// ClientOrderID is the id that an intent's order bears at the broker: a pure
// function of tenant and intent, so that a second attempt cannot become a second
// order. At most 48+1+64 = 113 of the broker's 128 characters.
func ClientOrderID(tenant, intentID string) string { return tenant + "." + intentID }
