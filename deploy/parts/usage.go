package parts

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used.
type Usage struct {
	CPU time.Duration // user and system
	RSS int64         // resident bytes, now
}

// clockTick is the unit of processor time in /proc/<pid>/stat, on every Linux.
const clockTick = 10 * time.Millisecond

// UsageOf reads what a process has used so far.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("parts: figures of a process are read from /proc, which only Linux has: %w", err)
	}
	// The name of the program, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var n [3]int64 // user, system ticks; resident pages
	for i, at := range []int{11, 12, 21} {
		if n[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return Usage{}, fmt.Errorf("parts: /proc/%d/stat: %w", pid, err)
		}
	}
	return Usage{time.Duration(n[0]+n[1]) * clockTick, n[2] * int64(os.Getpagesize())}, nil
}
