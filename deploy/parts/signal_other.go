//go:build !unix

package parts

import "errors"

// errSignals says what this system lacks.
var errSignals = errors.New("parts: processes can be frozen and terminated only on Unix")

// Freeze needs Unix.
func (p *Process) Freeze() error { return errSignals }

// Thaw needs Unix.
func (p *Process) Thaw() error { return errSignals }

// Terminate needs Unix.
func (p *Process) Terminate() error { return errSignals }
