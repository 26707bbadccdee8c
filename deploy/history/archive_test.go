package history_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/orderfleet/orderfleet/deploy/history"
	"github.com/orderfleet/orderfleet/shared/ledger"
	"github.com/orderfleet/orderfleet/shared/ledger/ledgertest"
	"github.com/orderfleet/orderfleet/shared/order"
)

func TestMain(m *testing.M) { ledgertest.VerifyMain(m) }

func quiet(string, int, int) {}

// read is what a source has of a stretch.
func read(t *testing.T, src history.Source, s history.Stretch) (all []string) {
	t.Helper()
	err := src.Read(t.Context(), s, quiet, func(shard int, e ledger.Entry) error {
		all = append(all, show(shard, e))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func show(shard int, e ledger.Entry) string {
	var header []string
	for _, k := range slices.Sorted(maps.Keys(e.Header)) {
		header = append(header, fmt.Sprintf("%q=%q", k, e.Header[k]))
	}
	return fmt.Sprintf("%d %d %s %q %d %q %v", shard, e.Seq, e.Class, e.Tenant, e.Time.UnixNano(), e.Data, header)
}

// fill puts messages of every class on a new ledger, readable ones and others.
func fill(t *testing.T) history.Source {
	t.Helper()
	l, nc := ledgertest.Open(t, 2)
	js := l.JetStream()
	put := func(m *nats.Msg) {
		t.Helper()
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		tenant := []string{"acme", "b", "c", "d"}[i%4]
		shard := l.ShardOf(tenant)
		put(&nats.Msg{Subject: ledger.PublishSubject(tenant), Data: fmt.Appendf(nil, `{"id":"i%d"}`, i), Header: nats.Header{"Nats-Msg-Id": {fmt.Sprint(i)}, "Odd": {"\xff"}}})
		put(&nats.Msg{Subject: ledger.PublishSubject(tenant), Data: []byte("no {\xfe\n")})
		put(&nats.Msg{Subject: ledger.Outcomes.Subject(shard, tenant), Data: fmt.Appendf(nil, `{"intent_seq":%d}`, i)})
		put(&nats.Msg{Subject: ledger.Updates.Subject(shard, tenant), Data: nil})
	}
	if _, err := l.Begin(t.Context(), 1, ledger.Epoch{Epoch: 1, Worker: "w"}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Control(t.Context(), "b", order.Control{Verb: order.Release, By: "me", Reason: "r", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return history.Live(l)
}

// export writes a stretch and opens it.
func export(t *testing.T, src history.Source, s history.Stretch, path string) *history.Archive {
	t.Helper()
	m, err := history.Export(t.Context(), src, s, path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	a := open(t, path)
	if got := a.Manifest(); m.Messages == 0 || got.Messages != m.Messages {
		t.Errorf("wrote %d messages, the manifest says %d", m.Messages, got.Messages)
	}
	return a
}

func open(t *testing.T, path string) *history.Archive {
	t.Helper()
	a, err := history.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// TestExportsReadLikeTheLedger: whatever stretch is asked of a ledger or of its export, it is
// the same to the byte; and so is that of an export of the export.
func TestExportsReadLikeTheLedger(t *testing.T) {
	src := fill(t)
	var middle time.Time
	if err := src.Read(t.Context(), history.Stretch{From: 40, To: 40}, quiet, func(_ int, e ledger.Entry) error { middle = e.Time; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]history.Stretch{
		"all":         {},
		"a tenant":    {Tenants: []string{"b"}},
		"sequences":   {From: 10, To: 50},
		"since":       {Since: middle},
		"until":       {Until: middle},
		"of a tenant": {Tenants: []string{"acme", "d"}, From: 3, Until: middle},
	} {
		for _, ending := range []string{"", ".zip"} {
			t.Run(name+ending, func(t *testing.T) {
				dir := t.TempDir()
				a := export(t, src, s, filepath.Join(dir, "one"+ending))
				want := read(t, src, s)
				if got := read(t, a, history.Stretch{}); !slices.Equal(got, want) {
					t.Errorf("the export of %d messages has %d, or others", len(want), len(got))
				}
				all := export(t, src, history.Stretch{}, filepath.Join(dir, "all"+ending))
				if got := read(t, all, s); !slices.Equal(got, want) {
					t.Errorf("the stretch of the export of all has %d messages, not %d, or others", len(got), len(want))
				}
				part := export(t, all, s, filepath.Join(dir, "part"+ending))
				if got := read(t, part, s); !slices.Equal(got, want) {
					t.Errorf("the export of the export has %d messages, not %d, or others", len(got), len(want))
				}
				if e := part.Extent(); !e.AsOf.Equal(all.Manifest().Taken) {
					t.Errorf("the export of an export is as of %s, not %s", e.AsOf, all.Manifest().Taken)
				}
			})
		}
	}
}

// TestOutside: what an export does not have is not silently left out.
func TestOutside(t *testing.T) {
	src := fill(t)
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	a := export(t, src, history.Stretch{Tenants: []string{"b", "c"}, Since: at, Until: at.Add(time.Hour), From: 5, To: 60}, filepath.Join(t.TempDir(), "x"))
	for name, tc := range map[string]struct {
		s       history.Stretch
		outside bool
	}{
		"all that it has":     {history.Stretch{}, false},
		"all bounds":          {a.Manifest().Stretch, false},
		"without its end":     {a.Manifest().Stretch.Open(), false},
		"less":                {history.Stretch{Tenants: []string{"c"}, Since: at.Add(1), From: 6, To: 59}, false},
		"another tenant":      {history.Stretch{Tenants: []string{"c", "d"}}, true},
		"earlier":             {history.Stretch{Since: at.Add(-1)}, true},
		"later":               {history.Stretch{Until: at.Add(time.Hour + 1)}, true},
		"from before it":      {history.Stretch{From: 4}, true},
		"to what is after it": {history.Stretch{To: 61}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := a.Read(t.Context(), tc.s, quiet, func(int, ledger.Entry) error { return nil })
			if want := map[string]string{"earlier": at.UTC().Format(time.RFC3339), "later": at.Add(time.Hour).UTC().Format(time.RFC3339)}[name]; err != nil && !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%v does not end with %s", err, want)
			}
			if _, outside := errors.AsType[*history.OutsideError](err); outside != tc.outside || !outside && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestDamage: no damage is silent, and of a damaged file nothing is delivered.
func TestDamage(t *testing.T) {
	src := fill(t)
	whole := filepath.Join(t.TempDir(), "whole")
	m := export(t, src, history.Stretch{}, whole).Manifest()
	name := m.Files[len(m.Files)-1].Name
	change := func(file string, f func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), f(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip := func(at func(n int) int) func([]byte) []byte {
		return func(b []byte) []byte { b[at(len(b))] ^= 1; return b }
	}
	for what, damage := range map[string]func(*testing.T, string){
		"the first byte":     change(name, flip(func(int) int { return 0 })),
		"a byte":             change(name, flip(func(n int) int { return n / 2 })),
		"the last byte":      change(name, flip(func(n int) int { return n - 1 })),
		"truncated":          change(name, func(b []byte) []byte { return b[:len(b)-1] }),
		"empty":              change(name, func([]byte) []byte { return nil }),
		"longer":             change(name, func(b []byte) []byte { return append(b, '\n') }),
		"missing":            func(t *testing.T, dir string) { remove(t, filepath.Join(dir, name)) },
		"another shard's":    change(name, func([]byte) []byte { return contents(t, filepath.Join(whole, m.Files[0].Name)) }),
		"truncated manifest": change("manifest.json", func(b []byte) []byte { return b[:len(b)/2] }),
		"another checksum":   change("manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(m.Files[0].SHA256[:8]), []byte("00000000"), 1) }),
		"another count":      change("manifest.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"messages": `), []byte(`"messages": 1`), 1) }),
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "x")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			damage(t, dir)
			a, err := history.Open(dir)
			if err == nil {
				defer a.Close() //nolint:errcheck // a directory
				err = a.Read(t.Context(), history.Stretch{}, quiet, func(shard int, _ ledger.Entry) error {
					if shard == m.Files[len(m.Files)-1].Shard {
						t.Error("a message of the damaged file was delivered")
					}
					return nil
				})
			}
			if _, ok := errors.AsType[*history.DamagedError](err); !ok {
				t.Errorf("not noticed: %v", err)
			}
		})
	}
}

// TestForged: a file that another one of the same shape, and the same size, stands for is
// noticed before anything of it is delivered.
func TestForged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	a := export(t, fill(t), history.Stretch{Tenants: []string{"b"}}, dir)
	path := filepath.Join(dir, a.Manifest().Files[0].Name)
	packed := contents(t, path)
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unpack.Close()
	lines, err := unpack.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := pack.EncodeAll(regexp.MustCompile(`,"header[^}]*}`).ReplaceAll(lines, nil), nil)
	room := len(packed) - len(forged) - 8 // a frame that readers skip has 8 bytes before its content
	if room < 0 || len(forged) < 8 {
		t.Fatalf("a forgery of %d bytes for %d", len(forged), len(packed))
	}
	forged = binary.LittleEndian.AppendUint32(append(forged, 0x50, 0x2a, 0x4d, 0x18), uint32(room))
	forged = append(forged, make([]byte, room)...)
	if err := os.WriteFile(path, forged, 0o600); err != nil {
		t.Fatal(err)
	}
	err = a.Read(t.Context(), history.Stretch{}, quiet, func(int, ledger.Entry) error {
		t.Error("a message of it was delivered")
		return nil
	})
	if _, ok := errors.AsType[*history.DamagedError](err); !ok {
		t.Errorf("not noticed: %v", err)
	}
}

// TestStretchHolds: what is of no tenant is meant with each, within the same bounds.
func TestStretchHolds(t *testing.T) {
	at := time.Now()
	s := history.Stretch{Tenants: []string{"b"}, From: 2, To: 4, Since: at, Until: at.Add(time.Hour)}
	for _, tc := range []struct {
		tenant string
		seq    uint64
		at     time.Time
		holds  bool
	}{
		{"b", 2, at, true}, {"b", 4, at.Add(time.Hour - 1), true}, {"", 3, at, true},
		{"c", 3, at, false}, {"b", 1, at, false}, {"", 5, at, false}, {"b", 3, at.Add(-1), false}, {"b", 3, at.Add(time.Hour), false},
	} {
		if got := s.Holds(ledger.Entry{Tenant: tc.tenant, Seq: tc.seq, Time: tc.at}); got != tc.holds {
			t.Errorf("%q at %d, %s: %t", tc.tenant, tc.seq, tc.at, got)
		}
	}
}

// TestDamagedManifest: whatever byte of a manifest is another one, it is noticed.
func TestDamagedManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	export(t, fill(t), history.Stretch{Tenants: []string{"b"}}, dir)
	path := filepath.Join(dir, "manifest.json")
	right := contents(t, path)
	for i := range right {
		wrong := bytes.Clone(right)
		wrong[i] ^= 1
		if err := os.WriteFile(path, wrong, 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := history.Open(dir); err == nil {
			t.Errorf("byte %d: %q instead of %q was not noticed: %+v", i, wrong[i], right[i], a.Manifest())
		}
	}
}

// TestNoExport: what is none is not read as one.
func TestNoExport(t *testing.T) {
	src := fill(t)
	t.Run("another version", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x")
		export(t, src, history.Stretch{}, dir)
		path := filepath.Join(dir, "manifest.json")
		text := strings.Replace(string(contents(t, path)), `"version": 1`, `"version": 2`, 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if e, ok := errors.AsType[*history.VersionError](openError(dir)); !ok || e.Version != 2 {
			t.Errorf("%v", openError(dir))
		}
	})
	t.Run("no manifest", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x")
		export(t, src, history.Stretch{}, dir)
		remove(t, filepath.Join(dir, "manifest.json"))
		if err := openError(dir); !errors.Is(err, history.ErrNoManifest) || !strings.HasPrefix(err.Error(), "history: "+dir+": it has no manifest") {
			t.Errorf("%v", err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		if err := openError(filepath.Join(t.TempDir(), "x")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no zip file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*history.DamagedError](openError(path)); !ok {
			t.Errorf("%v", openError(path))
		}
	})
}

// TestInterruptedExport: what was interrupted is no export, and leaves nothing; and nothing is
// overwritten.
func TestInterruptedExport(t *testing.T) {
	src := fill(t)
	for _, name := range []string{"x", "x.zip"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			ctx, cancel := context.WithCancel(t.Context())
			_, err := history.Export(ctx, cancelling{src, cancel}, history.Stretch{}, path, quiet)
			if left, _ := os.ReadDir(dir); !errors.Is(err, context.Canceled) || len(left) > 0 {
				t.Errorf("%v; left behind: %v", err, left)
			}
			export(t, src, history.Stretch{}, path)
			if _, err := history.Export(t.Context(), src, history.Stretch{}, path, quiet); !errors.Is(err, history.ErrExists) || strings.Count(err.Error(), "history:") != 1 {
				t.Errorf("exported over another: %v", err)
			}
			for entry := range modes(t, dir) {
				if entry.Perm()&0o077 != 0 {
					t.Errorf("others may read it: %s", entry)
				}
			}
		})
	}
}

// cancelling is a source whose reader is interrupted.
type cancelling struct {
	history.Source
	cancel func()
}

func (c cancelling) Read(ctx context.Context, s history.Stretch, p history.Progress, deliver func(int, ledger.Entry) error) error {
	n := 0
	return c.Source.Read(ctx, s, p, func(shard int, e ledger.Entry) error {
		if n++; n == 50 {
			c.cancel()
		}
		return errors.Join(ctx.Err(), deliver(shard, e))
	})
}

// modes are those of all that is in a directory.
func modes(t *testing.T, dir string) func(func(fs.FileMode) bool) {
	return func(yield func(fs.FileMode) bool) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			info, err := d.Info()
			if err == nil && !yield(info.Mode()) {
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func openError(path string) error {
	a, err := history.Open(path)
	if err == nil {
		err = errors.Join(errors.New("it opened"), a.Close())
	}
	return err
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
