package order

// FieldError names a field of a message and says what is wrong with it.
type FieldError struct {
	Field   string // as order.limit_price; empty for the message as a whole
	Problem string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return e.Field + ": " + e.Problem
}
