package test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/orderfleet/orderfleet/worker/plant"
)

// top is the folder of the whole project.
const top = "../.."

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the README names as proof exists, and so do the packages and files that it points to.
func TestReadmeNamesWhatExists(t *testing.T) {
	readme := text(t, "README.md")
	tests := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(source, -1) {
			tests[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readme, -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, match := range named {
		if !tests[match[1]] {
			t.Errorf("there is no %s", match[1])
		}
	}
	paths := regexp.MustCompile(`(?:shared|producer|worker|deploy)/[\w./]*\w`).FindAllString(readme, -1)
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(top, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The README's map has a row for every package, or for the one that it is a part of.
func TestReadmeMapsEveryPackage(t *testing.T) {
	_, table, found := strings.Cut(text(t, "README.md"), "\n## The map\n")
	if !found {
		t.Fatal("there is no map")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	rows := make(map[string]bool)
	for _, match := range regexp.MustCompile("`([\\w./]+)`").FindAllStringSubmatch(table, -1) {
		rows[match[1]] = true
	}
	for _, pkg := range listPackages(t) {
		name := strings.TrimPrefix(pkg.ImportPath, root)
		if !rows[name] && !rows[belongsTo(name)] {
			t.Errorf("%s is not on the map", name)
		}
	}
}

// belongsTo is the package whose row tells of another one as well: a command's is its
// module's or the package that it runs. A module's row does not tell of all that is in it.
func belongsTo(name string) string {
	if module, command, found := strings.Cut(name, "/cmd/"); found {
		if command == module {
			return module
		}
		return path.Join(module, command)
	}
	if parent := path.Dir(name); strings.Contains(parent, "/") {
		return parent
	}
	return name
}

// The README and the change log state how many bugs can be planted.
func TestReadmeCountsTheBugs(t *testing.T) {
	for _, name := range []string{"README.md", "CHANGELOG.md"} {
		stated := regexp.MustCompile(`(\d+) (?:planted )?bugs`).FindAllStringSubmatch(text(t, name), -1)
		if len(stated) == 0 {
			t.Errorf("%s states no number", name)
		}
		for _, match := range stated {
			if match[1] != strconv.Itoa(len(plant.Bugs)) {
				t.Errorf("%s says %q; there are %d", name, match[0], len(plant.Bugs))
			}
		}
	}
}
