package order_test

import (
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

func BenchmarkIntent(b *testing.B) {
	for _, name := range []string{"market.json", "bracket.json", "multi-leg-credit.json"} {
		message := samples(b, "intents")[name]
		in, err := order.DecodeIntent(message)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := order.DecodeIntent(message); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("validate/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := in.Validate(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := order.EncodeIntent(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOutcome(b *testing.B) {
	for _, name := range []string{"accepted.json", "after-trouble.json"} {
		message := samples(b, "outcomes")[name]
		o, err := order.DecodeOutcome(message)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("decode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := order.DecodeOutcome(message); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("encode/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := order.EncodeOutcome(o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
