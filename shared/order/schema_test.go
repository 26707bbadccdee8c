package order_test

import (
	"bytes"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/shopspring/decimal"
)

// document is a schema as plain JSON, to be looked into.
func document(t testing.TB, schema string) map[string]any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

// compiled checks that a schema is one, and makes it ready to check messages with.
func compiled(t testing.TB, schema string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	doc := document(t, schema)
	id := doc["$id"].(string)
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refused is what the schema has against a message.
func refused(t testing.TB, s *jsonschema.Schema, message []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func TestSchemasHaveTheFieldsOfTheTypes(t *testing.T) {
	for _, test := range []struct {
		schema string
		def    string // of $defs; empty for the message itself
		goType reflect.Type
		may    []string // optional in Go's tags, required by the schema
	}{
		{order.IntentSchema, "", reflect.TypeFor[order.Intent](), nil},
		{order.IntentSchema, "order", reflect.TypeFor[order.Order](), nil},
		{order.IntentSchema, "take_profit", reflect.TypeFor[order.TakeProfit](), []string{"limit_price"}},
		{order.IntentSchema, "stop_loss", reflect.TypeFor[order.StopLoss](), []string{"stop_price"}},
		{order.IntentSchema, "leg", reflect.TypeFor[order.Leg](), []string{"ratio_qty"}},
		{order.IntentSchema, "advanced_instructions", reflect.TypeFor[order.AdvancedInstructions](), nil},
		{order.OutcomeSchema, "", reflect.TypeFor[order.Outcome](), nil},
		{order.OutcomeSchema, "course", reflect.TypeFor[order.Course](), nil},
		{order.OutcomeSchema, "counted", reflect.TypeFor[order.Counted](), nil},
		{order.OutcomeSchema, "try", reflect.TypeFor[order.Try](), nil},
		{order.OutcomeSchema, "wait", reflect.TypeFor[order.Wait](), nil},
		{order.UpdateSchema, "", reflect.TypeFor[order.Update](), nil},
		{order.ControlSchema, "", reflect.TypeFor[order.Control](), nil},
	} {
		t.Run(test.goType.Name(), func(t *testing.T) {
			doc := document(t, test.schema)
			object := doc
			if test.def != "" {
				object = doc["$defs"].(map[string]any)[test.def].(map[string]any)
			}
			properties := object["properties"].(map[string]any)
			required := test.may
			for field := range test.goType.Fields() {
				name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				property, ok := properties[name].(map[string]any)
				if !ok {
					t.Errorf("%s is not in the schema", name)
					continue
				}
				if want, got := jsonTypes(field.Type), schemaTypes(doc, property); !slices.Equal(got, want) && !(slices.Contains(want, "decimal") && slices.Contains(got, "string")) {
					t.Errorf("%s is %v in the schema, %v in Go", name, got, want)
				}
				if options == "" {
					required = append(required, name)
				}
				delete(properties, name)
			}
			if len(properties) > 0 {
				t.Errorf("only in the schema: %v", slices.Collect(maps.Keys(properties)))
			}
			if got := sortedStrings(object["required"]); !slices.Equal(got, slices.Sorted(slices.Values(required))) {
				t.Errorf("the schema requires %v, Go's tags %v", got, required)
			}
		})
	}
}

// jsonTypes are the JSON types that a Go type is written as.
func jsonTypes(t reflect.Type) []string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[decimal.Decimal]():
		return []string{"decimal"}
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return []string{"string"}
	case t.Kind() == reflect.Bool:
		return []string{"boolean"}
	case t.Kind() == reflect.Slice:
		return []string{"array"}
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return []string{"object"}
	}
	return []string{"integer"}
}

// schemaTypes are the JSON types that a property may have; a list of words is a string.
func schemaTypes(doc, property map[string]any) []string {
	if ref, ok := property["$ref"].(string); ok {
		return schemaTypes(doc, doc["$defs"].(map[string]any)[filepath.Base(ref)].(map[string]any))
	}
	switch typ := property["type"].(type) {
	case string:
		return []string{typ}
	case []any:
		return sortedStrings(typ)
	}
	if _, number := property["const"]; number {
		return []string{"integer"}
	}
	return []string{"string"}
}

func sortedStrings(list any) []string {
	var words []string
	for _, word := range append([]any(nil), anyList(list)...) {
		words = append(words, word.(string))
	}
	slices.Sort(words)
	return words
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

func TestSchemasHaveTheWordsOfTheConstants(t *testing.T) {
	intent, outcome := document(t, order.IntentSchema), document(t, order.OutcomeSchema)
	control := document(t, order.ControlSchema)
	in := func(doc map[string]any, path ...string) []string {
		for _, step := range path {
			doc = doc[step].(map[string]any)
		}
		return sortedStrings(doc["enum"])
	}
	words := constants(t)
	for name, got := range map[string][]string{
		"Kind":           in(intent, "properties", "kind"),
		"Side":           in(intent, "$defs", "side"),
		"PositionIntent": in(intent, "$defs", "position_intent"),
		"Type":           in(intent, "$defs", "order", "properties", "type"),
		"TimeInForce":    in(intent, "$defs", "order", "properties", "time_in_force"),
		"Class":          in(intent, "$defs", "order", "properties", "order_class"),
		"Status":         in(outcome, "properties", "status"),
		"Call":           in(outcome, "$defs", "try", "properties", "call"),
		"Verdict":        in(outcome, "$defs", "try", "properties", "verdict"),
		"Why":            in(outcome, "$defs", "wait", "properties", "why"),
		"Verb":           in(control, "properties", "verb"),
	} {
		if !slices.Equal(got, words[name]) {
			t.Errorf("%s: the schema has %v, Go has %v", name, got, words[name])
		}
		delete(words, name)
	}
	if len(words) > 0 {
		t.Errorf("not looked at: %v", words)
	}
}

// constants are the values of this package's typed string constants, by type.
func constants(t *testing.T) map[string][]string {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	checker := types.Config{Importer: importer.Default(), Error: func(error) {}} // the imports do not matter here
	pkg, _ := checker.Check("order", fset, files, nil)
	words := make(map[string][]string)
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok {
			continue
		}
		if named, ok := c.Type().(*types.Named); ok && c.Val().Kind() == constant.String {
			typ := named.Obj().Name()
			words[typ] = append(words[typ], constant.StringVal(c.Val()))
		}
	}
	for _, list := range words {
		slices.Sort(list)
	}
	return words
}

func samples(t testing.TB, kind string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples of %s: %v", kind, err)
	}
	all := make(map[string][]byte, len(files))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(file)] = data
	}
	return all
}

// Each sample is a message to the schema and to Go, and what Go writes of it is one, too.
func TestSamples(t *testing.T) {
	intents, outcomes, updates := compiled(t, order.IntentSchema), compiled(t, order.OutcomeSchema), compiled(t, order.UpdateSchema)
	for name, message := range samples(t, "intents") {
		t.Run(name, func(t *testing.T) {
			in, err := order.DecodeIntent(message)
			if err == nil {
				err = in.Validate()
			}
			checkSample(t, intents, message, in, err, order.EncodeIntent, order.DecodeIntent)
		})
	}
	for name, message := range samples(t, "outcomes") {
		t.Run(name, func(t *testing.T) {
			o, err := order.DecodeOutcome(message)
			checkSample(t, outcomes, message, o, err, order.EncodeOutcome, order.DecodeOutcome)
		})
	}
	for name, message := range samples(t, "updates") {
		t.Run(name, func(t *testing.T) {
			u, err := order.DecodeUpdate(message)
			checkSample(t, updates, message, u, err, order.EncodeUpdate, order.DecodeUpdate)
		})
	}
	for name, message := range samples(t, "controls") {
		t.Run(name, func(t *testing.T) {
			c, err := order.DecodeControl(message)
			if err == nil {
				err = c.Validate()
			}
			checkSample(t, compiled(t, order.ControlSchema), message, c, err, order.EncodeControl, order.DecodeControl)
		})
	}
}

func checkSample[T any](t *testing.T, schema *jsonschema.Schema, message []byte, read T, err error, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	if err != nil {
		t.Fatalf("Go: %v", err)
	}
	if err := refused(t, schema, message); err != nil {
		t.Errorf("the schema: %v", err)
	}
	written, err := encode(read)
	if err != nil {
		t.Fatal(err)
	}
	if err := refused(t, schema, written); err != nil {
		t.Errorf("the schema, of what was written: %v", err)
	}
	again, err := decode(written)
	if err != nil || !reflect.DeepEqual(again, read) {
		t.Errorf("read again as %+v, not %+v: %v", again, read, err)
	}
}

// What a schema can say, it says. That it refuses nothing that Go takes is for
// [TestOrderRules] and [TestIntentsSurviveTheWire].
func TestSchemaRefuses(t *testing.T) {
	schema := compiled(t, order.IntentSchema)
	for _, test := range []struct{ name, message string }{
		{"an unknown field", with(`"id"`, `"hello":1,"id"`)},
		{"an unknown field of the order", with(`"qty"`, `"client_order_id":"x","qty"`)},
		{"a kind that there is not", with(`"kind":"order"`, `"kind":"buy"`)},
		{"an id with a dot", with(`"i1"`, `"a.b"`)},
		{"no expiry", with(`"expires_at":"2026-11-24T15:00:00Z",`, ``)},
		{"an expiry that is no time", with(`2026-11-24T15:00:00Z`, `tomorrow`)},
		{"no order", `{"id":"a","kind":"order","expires_at":"2026-11-24T15:00:00Z"}`},
		{"an order in a cancel", with(`"kind":"order"`, `"kind":"cancel","target":"x"`)},
		{"a cancel without target", `{"id":"a","kind":"cancel","expires_at":"2026-11-24T15:00:00Z"}`},
		{"a target of an order", with(`"kind"`, `"target":"x","kind"`)},
		{"a replaced symbol", with(`"kind":"order"`, `"kind":"replace","target":"x"`)},
		{"a closed side", with(`"kind":"order"`, `"kind":"close_position"`)},
		{"qty and notional", with(`"qty":"1"`, `"qty":"1","notional":"5"`)},
		{"neither qty nor notional", with(`"qty":"1",`, ``)},
		{"a qty in words", with(`"qty":"1"`, `"qty":"one"`)},
		{"a limit order without limit", with(`,"limit_price":"150.25"`, ``)},
		{"a market order with a limit", with(`"type":"limit"`, `"type":"market"`)},
		{"a stop of a limit order", with(`"type"`, `"stop_price":"1","type"`)},
		{"a trail of a limit order", with(`"type"`, `"trail_price":"1","type"`)},
		{"a trailing stop without trail", with(`"type":"limit"`, `"type":"trailing_stop"`)},
		{"half a bracket", with(`"qty"`, `"order_class":"bracket","take_profit":{"limit_price":"200"},"qty"`)},
		{"an oto of both", with(`"qty"`, `"order_class":"oto","take_profit":{"limit_price":"200"},"stop_loss":{"stop_price":"100"},"qty"`)},
		{"legs of a simple order", with(`"qty"`, `"legs":[{"symbol":"A","ratio_qty":"1","side":"buy"},{"symbol":"B","ratio_qty":"1","side":"buy"}],"qty"`)},
		{"a version of tomorrow", with(`"id"`, `"v":2,"id"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if refused(t, schema, []byte(test.message)) == nil {
				t.Error("the schema takes it")
			}
			in, err := order.DecodeIntent([]byte(test.message))
			if err == nil && in.Validate() == nil {
				t.Error("Go takes it")
			}
		})
	}
}
