package branch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// ErrBroken is returned by a Journal or FileStore whose disk failed: what is on it is not known any more. Open it again.
var ErrBroken = errors.New("branch: file is broken")

// Recovery says what was found when a file was opened after a crash.
type Recovery struct {
	// Torn is how many bytes at the end were dropped: a line that was being written. What it said was never confirmed to anybody.
	Torn int64
	// Damaged is how many lines in the middle cannot be read: not a crash but a bad disk, or somebody's hand.
	Damaged int
	// Interrupted is how many calls were in progress.
	Interrupted int
}

const maxLine = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logFile is lines that are on disk when append returns, each with a checksum. Its owner locks it.
type logFile struct {
	f    *os.File
	size int64
	err  error // for good
}

// openLog calls each with every whole line, in order, and drops a torn end. The file is made readable for its owner only; one that others may read is refused.
func openLog(path string, each func(line []byte) error) (*logFile, Recovery, error) {
	var rec Recovery
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, rec, fmt.Errorf("branch: %w", err)
	}
	l := &logFile{f: f}
	if rec, err = l.load(path, each); err != nil {
		f.Close()
		return nil, rec, err
	}
	return l, rec, nil
}

func (l *logFile) load(path string, each func(line []byte) error) (Recovery, error) {
	var rec Recovery
	st, err := l.f.Stat()
	if err != nil {
		return rec, fmt.Errorf("branch: %w", err)
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return rec, fmt.Errorf("branch: %s must be a file that only its owner may read: it says who called whom", path)
	}
	if err := syscall.Flock(int(l.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // ends with the process
		return rec, fmt.Errorf("branch: %s is in use: %w", path, err)
	}
	bad := 0
	end, err := readLines(l.f, func(line []byte, after int64) error {
		if line == nil {
			bad++
			return nil
		}
		rec.Damaged += bad
		bad = 0
		l.size = after
		return each(line)
	})
	if err != nil {
		return rec, fmt.Errorf("branch: %s: %w", path, err)
	}
	if rec.Torn = end - l.size; rec.Torn > 0 {
		if err := l.f.Truncate(l.size); err != nil {
			return rec, fmt.Errorf("branch: %w", err)
		}
	}
	if err := l.f.Sync(); err != nil {
		return rec, fmt.Errorf("branch: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path)) // the name of a new file is durable only when its folder is
	if err != nil {
		return rec, fmt.Errorf("branch: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return rec, fmt.Errorf("branch: %w", err)
	}
	return rec, nil
}

// readLines calls each with every line and the offset after it; a line that is not whole is nil. It returns the number of bytes read.
func readLines(f io.ReaderAt, each func(line []byte, after int64) error) (int64, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<62), maxLine)
	var at int64
	skipping := false
	for {
		raw, err := r.ReadSlice('\n')
		at += int64(len(raw))
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // longer than any line of ours
			skipping = true
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return at, err
		}
		var line []byte
		if err == nil && !skipping {
			line = unframe(raw)
		}
		skipping = false
		if len(raw) > 0 {
			if err := each(line, at); err != nil {
				return at, err
			}
		}
		if err != nil {
			return at, nil
		}
	}
}

// frame puts a checksum before a line.
func frame(line []byte) []byte {
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(line, castagnoli), line)
}

// unframe returns nil for what frame did not write.
func unframe(raw []byte) []byte {
	sum, line, ok := bytes.Cut(bytes.TrimSuffix(raw, []byte("\n")), []byte(" "))
	if !ok || len(sum) != 8 || len(line) == 0 {
		return nil
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.Checksum(line, castagnoli) {
		return nil
	}
	return line
}

// append returns when the lines are on disk: all of them or, after an error, none.
func (l *logFile) append(lines ...[]byte) error {
	if l.err != nil {
		return l.err
	}
	var buf []byte
	for _, line := range lines {
		if len(line)+10 > maxLine {
			return errors.New("branch: line too long")
		}
		buf = append(buf, frame(line)...)
	}
	if _, err := l.f.WriteAt(buf, l.size); err != nil { // a full disk, for one: what was half written must not stand before the next line
		if cut := l.f.Truncate(l.size); cut != nil {
			return l.fail(cut)
		}
		return fmt.Errorf("branch: %w", err)
	}
	if err := l.f.Sync(); err != nil { // after that, nobody knows what is on disk, and a second Sync may lie
		return l.fail(err)
	}
	l.size += int64(len(buf))
	return nil
}

// empty removes all lines.
func (l *logFile) empty() error {
	if l.err != nil || l.size == 0 {
		return l.err
	}
	if err := l.f.Truncate(0); err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	l.size = 0
	if err := l.f.Sync(); err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *logFile) fail(err error) error {
	l.err = fmt.Errorf("%w: %w", ErrBroken, err)
	return l.err
}

func (l *logFile) close() error {
	if l.err == nil {
		l.err = fmt.Errorf("%w: closed", ErrBroken)
	}
	return l.f.Close()
}
