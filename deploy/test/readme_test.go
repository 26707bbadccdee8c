package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README names as proof exists, and so do the packages and files that it points to.
func TestReadmeNamesWhatExists(t *testing.T) {
	const root = "../.."
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
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
	named := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(readme, -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, match := range named {
		if !tests[string(match[1])] {
			t.Errorf("there is no %s", match[1])
		}
	}
	paths := regexp.MustCompile(`(?:shared|producer|worker|deploy)/[\w./]*\w`).FindAll(readme, -1)
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(root, string(path))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
