package insecureleg_test

import (
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
