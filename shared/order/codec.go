package order

// Encoding and decoding of messages.
