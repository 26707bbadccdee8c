package feed

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// columns are the names that a CSV feed's header may hold, and where in an intent they
// belong. Beside them there is label.<key>.
var columns = map[string][]string{
	"tenant":                  {"tenant"},
	"id":                      {"id"},
	"kind":                    {"kind"},
	"target":                  {"target"},
	"expires_at":              {"expires_at"},
	"expires_in":              {"expires_in"},
	"symbol":                  {"order", "symbol"},
	"qty":                     {"order", "qty"},
	"notional":                {"order", "notional"},
	"side":                    {"order", "side"},
	"type":                    {"order", "type"},
	"time_in_force":           {"order", "time_in_force"},
	"limit_price":             {"order", "limit_price"},
	"stop_price":              {"order", "stop_price"},
	"trail_price":             {"order", "trail_price"},
	"trail_percent":           {"order", "trail_percent"},
	"trail":                   {"order", "trail"},
	"extended_hours":          {"order", "extended_hours"},
	"order_class":             {"order", "order_class"},
	"position_intent":         {"order", "position_intent"},
	"take_profit_limit_price": {"order", "take_profit", "limit_price"},
	"stop_loss_stop_price":    {"order", "stop_loss", "stop_price"},
	"stop_loss_limit_price":   {"order", "stop_loss", "limit_price"},
}

const labelColumn = "label."

// Columns are the names that a CSV feed's header may hold.
func Columns() []string {
	names := make([]string, 0, len(columns)+1)
	for name := range columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return append(names, labelColumn+"<key>")
}

func readCSV(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReader(r)
		if mark, err := in.Peek(len(byteOrderMark)); err == nil && bytes.Equal(mark, byteOrderMark) {
			in.Discard(len(mark)) //nolint:errcheck // they were peeked
		}
		table := csv.NewReader(in)
		header, err := table.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = checkHeader(header)
		}
		if err != nil {
			yield(Line{}, fmt.Errorf("feed: header: %w", err))
			return
		}
		for {
			record, err := table.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			number, l := 0, Line{}
			if bad, ok := errors.AsType[*csv.ParseError](err); ok {
				number, err = bad.StartLine, bad.Err
			} else if err != nil {
				yield(Line{}, fmt.Errorf("feed: %w", err))
				return
			} else {
				number, _ = table.FieldPos(0)
				l, err = decodeRecord(header, record)
			}
			if !deliver(yield, number, l, err) {
				return
			}
		}
	}
}

func checkHeader(header []string) error {
	for i, name := range header {
		key, label := strings.CutPrefix(name, labelColumn)
		switch {
		case columns[name] == nil && (!label || key == ""):
			return fmt.Errorf("column %q is not one of %s", name, strings.Join(Columns(), ", "))
		case slices.Contains(header[:i], name):
			return fmt.Errorf("column %q stands twice", name)
		}
	}
	return nil
}

// decodeRecord makes a record the JSON that it stands for, and reads that: so both formats
// have one set of rules. An empty field is one that is not there.
func decodeRecord(header, record []string) (Line, error) {
	object := map[string]any{}
	for i, name := range header {
		value := strings.TrimSpace(record[i])
		if value == "" {
			continue
		}
		path := columns[name]
		if path == nil {
			path = []string{"labels", strings.TrimPrefix(name, labelColumn)}
		}
		put(object, path, value)
	}
	if _, ok := object["kind"]; !ok {
		object["kind"] = "order"
	}
	data, err := json.Marshal(object, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Line{}, err
	}
	return decodeJSON(data)
}

// put sets a value deep in an object.
func put(object map[string]any, path []string, value string) {
	for _, name := range path[:len(path)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	last := path[len(path)-1]
	if last == "extended_hours" && (value == "true" || value == "false") {
		object[last] = value == "true"
		return
	}
	object[last] = value
}
