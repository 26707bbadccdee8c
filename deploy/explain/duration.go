package explain

import "time"

// Brief is a duration to three or four digits, as people read it.
func Brief(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case abs < time.Second:
		return d.Round(100 * time.Microsecond).String()
	case abs < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// plus is a duration with its sign.
func plus(d time.Duration) string {
	if d < 0 {
		return Brief(d)
	}
	return "+" + Brief(d)
}
