package pool

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func FuzzAsk(f *testing.F) {
	whole, err := encode(&ask{
		Version: 1, Pool: "alpaca", Client: "w1", Number: 3, Epoch: 7, Heard: 2,
		Wants: []wanted{{Tenant: "acme", Weight: 2, Ordinary: 1, Urgent: 1, Background: 1}},
		Used:  []used{{1, 15}}, Back: []uint64{2}, Limits: &limits{10, 1000, 5}, AwayMicros: 5,
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"pool":"p","client":"c","wants":[{"tenant":"a.b"}]}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeAsk(data)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Errorf("not typed: %v", err)
			}
			return
		}
		b := newBank(poolOf(60, time.Second), "w", 7, time.Now().Add(-time.Hour))
		b.ask(time.Now(), a)
		b.hand(time.Now())
		b.gathered(func(_ string, g *grant) {
			g.Pool = a.Pool
			again, err := encode(g)
			if err != nil {
				t.Fatal(err)
			}
			read, err := decodeGrant(again)
			if err != nil || !reflect.DeepEqual(read, g) {
				t.Errorf("%+v came back as %+v: %v", g, read, err)
			}
		})
	})
}

func FuzzGrant(f *testing.F) {
	f.Add([]byte(`{"v":1,"pool":"p","worker":"w","epoch":7,"number":1,"echo":1,"tokens":[{"id":1,"tenant":"acme","class":1,"after_us":-5}]}`))
	f.Add([]byte(`{"tokens":[{"class":3}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := decodeGrant(data)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Errorf("not typed: %v", err)
			}
			return
		}
		now := time.Now()
		one := newTill("p", "w", &shares{}, now)
		one.set(poolOf(60, time.Second), true)
		one.grant(now, g)
		one.tick(now)
		for _, tok := range one.spare {
			if !tok.Until.After(now) {
				t.Errorf("a token that nobody asked for is good until %s", tok.Until)
			}
		}
	})
}

func TestMalformedAsks(t *testing.T) {
	for _, tc := range []struct{ name, data, want string }{
		{"no JSON", `{`, "malformed"},
		{"a newer version", `{"v":2,"pool":"p","client":"c"}`, "version"},
		{"no pool", `{"client":"c"}`, "pool's name"},
		{"a subject for a name", `{"pool":"p","client":"a.>"}`, "worker's name"},
		{"a tenant's name", `{"pool":"p","client":"c","wants":[{"tenant":"a b"}]}`, "tenant"},
		{"less than nothing", `{"pool":"p","client":"c","wants":[{"tenant":"a","urgent":-1}]}`, "wants -1"},
		{"the future", `{"pool":"p","client":"c","used":[{"id":1,"ago_us":-1}]}`, "future"},
		{"limits", `{"pool":"p","client":"c","limits":{"remaining":-1,"reset_us":0,"ago_us":0}}`, "remain"},
		{"too long", `{"pool":"` + strings.Repeat("p", maxMessage) + `"}`, "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decodeAsk([]byte(tc.data))
			if !errors.Is(err, errMalformed) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something of %q", err, tc.want)
			}
		})
	}
}
