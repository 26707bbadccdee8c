package explain

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/order"
)

// clock is how people read a time: RFC 3339, to the millisecond.
const clock = "2006-01-02T15:04:05.000Z07:00"

// maxText bounds a line's text, in bytes.
const maxText = 400

// Print writes a life for people. Nothing that strangers wrote can steer the terminal.
func (l *Life) Print(w io.Writer, colour bool) error {
	p := &page{colour: colour}
	p.heading(l)
	p.table(l)
	if l.Waiting != nil {
		p.waiting(l.Waiting)
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

// page is a screen that is being filled.
type page struct {
	text   strings.Builder
	colour bool
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.text, format+"\n", args...)
}

func (p *page) heading(l *Life) {
	first := l.Intents[0]
	status := string(l.Status)
	if l.OrderStatus != "" {
		status += ", the order is " + l.OrderStatus
	}
	p.line("%s %s: %s", l.Tenant, name(first.ID, first.Seq), p.paint(l.Status, ledger.Printable(status, maxText)))
	if in := first.Intent; in != nil {
		if asked := asked(in); asked != "" {
			p.line("  asked   %s", ledger.Printable(asked, maxText))
		}
		if labels := labels(in); labels != "" {
			p.line("  labels  %s", ledger.Printable(labels, maxText))
		}
	}
	if l.ClientOrderID != "" {
		ids := "client order id " + l.ClientOrderID
		if l.BrokerOrderID != "" {
			ids += ", broker order " + l.BrokerOrderID
		}
		p.line("  ids     %s", ledger.Printable(ids, maxText))
	}
	p.line("  from    %s, shard %d\n", ledger.Printable(l.Source, maxText), l.Shard)
}

// table writes the steps, in columns.
func (p *page) table(l *Life) {
	many := len(l.Intents) > 1
	p.line("%-24s  %9s  %9s  %sWHAT", "TIME", "AFTER", "TOOK", column(many, "INTENT"))
	for i := range l.Steps {
		s := &l.Steps[i]
		after, took, intent := "", "", ""
		if i > 0 {
			after = plus(s.After)
		}
		if s.Took != 0 {
			took = Brief(s.Took)
		}
		if s.Seq != 0 {
			intent = fmt.Sprintf("#%d", s.Seq)
		}
		what := strings.ReplaceAll(string(s.Stage), "_", " ")
		p.line("%s", strings.TrimRight(fmt.Sprintf("%-24s  %9s  %9s  %s%-9s  %s", s.At.UTC().Format(clock), after, took, column(many, intent),
			what, ledger.Printable(s.Text, maxText)), " "))
	}
}

// column is the text of a column that is left out of most tables.
func column(there bool, text string) string {
	if !there {
		return ""
	}
	return fmt.Sprintf("%-8s  ", text)
}

func (p *page) waiting(w *Waiting) {
	p.line("\nnot done: intent #%d waits since %s", w.Seq, w.Since.UTC().Format(clock))
	for _, r := range w.For {
		span := ""
		if !r.Since.IsZero() {
			span = "; since " + r.Since.UTC().Format(clock)
		}
		if !r.Until.IsZero() {
			span += ", until " + r.Until.UTC().Format(clock)
		}
		p.line("  %-10s  %s", r.Code, ledger.Printable(r.Text, maxText)+span)
	}
}

// paint colours a status on a terminal.
func (p *page) paint(s order.Status, text string) string {
	const green, red, yellow, plain = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
	if !p.colour {
		return text
	}
	switch s {
	case order.Accepted:
		return green + text + plain
	case Due:
		return yellow + text + plain
	default:
		return red + text + plain
	}
}

// labels are an intent's, in order.
func labels(in *order.Intent) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(in.Labels)) {
		all = append(all, key+"="+in.Labels[key])
	}
	return strings.Join(all, ", ")
}

// asked is what an intent asks for, in a few words.
func asked(in *order.Intent) string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if in.Kind != "" {
		add("%s", in.Kind)
	}
	if in.Target != "" {
		add("of intent %s", in.Target)
	}
	if o := in.Order; o != nil {
		for _, s := range []string{string(o.OrderClass), string(o.Side)} {
			if s != "" {
				add("%s", s)
			}
		}
		if o.Qty != nil {
			add("%s", o.Qty)
		}
		if o.Notional != nil {
			add("for $%s", o.Notional)
		}
		for _, s := range []string{o.Symbol, string(o.Type)} {
			if s != "" {
				add("%s", s)
			}
		}
		for _, leg := range o.Legs {
			add("leg %s", leg.Symbol)
		}
		if o.LimitPrice != nil {
			add("at %s", o.LimitPrice)
		}
		if o.StopPrice != nil {
			add("stop %s", o.StopPrice)
		}
		if o.TimeInForce != "" {
			add("%s", o.TimeInForce)
		}
	}
	parts := []string{strings.Join(words, " ")}
	if !in.ExpiresAt.IsZero() {
		parts = append(parts, "expires "+in.ExpiresAt.UTC().Format(clock))
	}
	return strings.TrimPrefix(strings.Join(parts, ", "), ", ")
}
