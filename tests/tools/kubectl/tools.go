//go:build tools

// Package tools pins what tests/run builds with Go.
package tools

import _ "k8s.io/kubernetes/cmd/kubectl"
