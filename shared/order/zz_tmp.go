package order

func (i *Intent) Validate() error { return nil }
