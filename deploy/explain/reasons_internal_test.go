package explain

import (
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/shared/order"
)

// TestReasonsHaveWords: each reason, verdict, call and status that an outcome can have is in
// the table.
func TestReasonsHaveWords(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("../../shared/order/*.go")
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
	seen := make(map[string]int)
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok || c.Val().Kind() != constant.String {
			continue
		}
		named, ok := c.Type().(*types.Named)
		if !ok {
			continue
		}
		var known bool
		value := constant.StringVal(c.Val())
		switch named.Obj().Name() {
		case "Why":
			_, known = whys[order.Why(value)]
		case "Verdict":
			_, known = verdicts[order.Verdict(value)]
		case "Call":
			_, known = calls[order.Call(value)]
		case "Status":
			_, known = ends[order.Status(value)]
		default:
			continue
		}
		if seen[named.Obj().Name()]++; !known {
			t.Errorf("%s %q has no words", named.Obj().Name(), value)
		}
	}
	if len(seen) != 4 {
		t.Errorf("looked at %v", seen)
	}
}
