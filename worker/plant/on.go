//go:build planted

package plant

import "os"

var planted = Bug(os.Getenv(Variable))

// Is says whether this worker has a bug.
func Is(b Bug) bool { return planted == b }
