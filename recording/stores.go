package recording

import (
	"context"
	"iter"
)

// BlobInfo is what a store knows of a blob without reading it.
type BlobInfo struct {
	ID       string
	Size     int64 // bytes
	Finished bool  // closed; false while it is written, or left behind by a process that died
}

// BlobLister is a store that can say what it holds. What was created or removed while it is listed may be among it or not.
type BlobLister interface {
	List(ctx context.Context) iter.Seq2[BlobInfo, error]
}

// BlobAppender is a store that goes on with a blob that was not closed, from the size it returns: ErrNotFound if there is none. The caller knows that nobody
// else writes it.
type BlobAppender interface {
	Append(ctx context.Context, name string) (w BlobWriter, size int64, err error)
}

// Placer is a store that says where it keeps things, such as "file://host/path", so that a copy of them can be refused the same place.
type Placer interface {
	Place() (string, error)
}
