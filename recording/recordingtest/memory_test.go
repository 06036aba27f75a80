package recordingtest_test

import (
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestBlobs(t *testing.T) {
	recordingtest.TestBlobs(t, func(*testing.T) recording.Blobs { return &recordingtest.Blobs{} })
}

func TestCatalog(t *testing.T) {
	recordingtest.TestCatalog(t, func(*testing.T) recording.Catalog { return &recordingtest.Catalog{} })
}
