// Package parts runs the parts of the system, a NATS server, the paper broker and a
// worker, as processes of their own that can be measured, and killed.
//
// A part is the program itself, started again with its role ([Arg]): any program, or test,
// that calls [Run] first thing. It lives until its standard input ends, so that none
// outlives its parent.
//
//	parent --Spawn--> part: "ready" --Stop (end of input)--> drains, exits
//	                                --Kill (SIGKILL)-------> is gone
package parts
