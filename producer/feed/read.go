package feed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/orderfleet/orderfleet/shared/order"
)

// Format is how a feed is written.
type Format string

// The formats.
const (
	JSONLines Format = "jsonl"
	CSV       Format = "csv"
)

// Read yields the lines of a feed. A line that cannot be read comes as a [LineError] and the
// reading goes on; any other error ends it.
func Read(r io.Reader, format Format) iter.Seq2[Line, error] {
	switch format {
	case JSONLines:
		return readJSON(r)
	case CSV:
		return readCSV(r)
	default:
		return func(yield func(Line, error) bool) {
			yield(Line{}, fmt.Errorf("feed: format %q is not jsonl or csv", format))
		}
	}
}

// byteOrderMark is what some programs put before a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

func readJSON(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for number := 1; ; number++ {
			data, err := readLine(in)
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
				yield(Line{}, fmt.Errorf("feed: read line %d: %w", number, err))
				return
			}
			if number == 1 {
				data = bytes.TrimPrefix(data, byteOrderMark)
			}
			if text := bytes.TrimSpace(data); len(text) > 0 || errors.Is(err, errLong) {
				l, problem := Line{}, err
				if !errors.Is(err, errLong) {
					l, problem = decodeJSON(text)
				}
				if !deliver(yield, number, l, problem) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
		}
	}
}

// deliver yields a line, or what is wrong with it.
func deliver(yield func(Line, error) bool, number int, l Line, problem error) bool {
	l.Number = number
	if problem != nil {
		return yield(Line{Number: number}, LineError{number, problem})
	}
	return yield(l, nil)
}

// errLong says that a line is longer than any intent.
var errLong = fmt.Errorf("it has more than %d bytes", 2*order.MaxMessage)

// readLine reads one line, of which it keeps no more than could be an intent.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) <= 2*order.MaxMessage {
			line = append(line, part...)
		} else {
			long = true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && err == nil:
			return nil, errLong
		default:
			return line, err
		}
	}
}
