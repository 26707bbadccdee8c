package natsconn

// WatchInbox is what Dial does to its connections, with other pauses.
var WatchInbox = watchInbox
