package dataset

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// Limits bounds what a source may take; a zero field stands for the default. They are wide enough for ImageNet's validation
// set and stop an archive that unpacks to more than the machine has.
type Limits struct {
	Entries int   // files and folders in the source; default 1,000,000
	Bytes   int64 // bytes read from the source, unpacked, and bytes of the decoded set, each; default 4 GiB
	Image   ImageLimits
}

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 1_000_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 4 << 30
	}
	l.Image = l.Image.withDefaults()
	return l
}

// file is a file or a folder of a source.
type file struct {
	path string // slash-separated, relative, no . or ..
	dir  bool
	size int64 // bytes, unpacked, as the source has it
	open func() (io.ReadCloser, error)
}

// source is the content of a folder, a zip or a tar.gz as a list of files sorted by path. Reads may be made from many goroutines.
type source struct {
	files []file
	left  atomic.Int64 // bytes that may still be read
	limit Limits
	close func() error
}

// openSource lists the folder or archive at name; archives are known by their first bytes.
func openSource(ctx context.Context, name string, limit Limits) (*source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, classify(ErrData, err)
	}
	s := &source{limit: limit, close: func() error { return nil }}
	s.left.Store(limit.Bytes)
	switch {
	case info.IsDir():
		err = s.addFolder(ctx, name, "", 0)
	case info.Mode().IsRegular():
		err = s.addArchive(ctx, name, info.Size())
	default:
		err = refuse("%s is neither a folder nor a file", name)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	slices.SortFunc(s.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	for i, f := range s.files[min(1, len(s.files)):] {
		if f.path == s.files[i].path {
			s.close()
			return nil, refuse("%s holds %q twice", name, f.path)
		}
	}
	s.stripWrapper()
	return s, nil
}

// maxDepth stops a walk through links that lead back to where they lie. Every known layout has at most three levels.
const maxDepth = 16

func (s *source) addFolder(ctx context.Context, root, rel string, depth int) error {
	if depth > maxDepth {
		return refuse("%s has more than %d levels of folders", root, maxDepth)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(rel)))
	if err != nil {
		return classify(ErrData, err)
	}
	for _, e := range entries {
		if ignored(e.Name()) {
			continue
		}
		at := path.Join(rel, e.Name())
		full := filepath.Join(root, filepath.FromSlash(at))
		f := file{path: at, open: func() (io.ReadCloser, error) { return os.Open(full) }}
		info, err := os.Stat(full) // not e.Info: links to folders and files count as what they lead to
		switch {
		case err != nil && e.Type()&fs.ModeSymlink != 0: // a link that leads nowhere; it may lie where nobody looks
			gone := err
			f.open = func() (io.ReadCloser, error) { return nil, gone }
		case err != nil:
			return classify(ErrData, err)
		case info.IsDir() || info.Mode().IsRegular():
			f.dir, f.size = info.IsDir(), info.Size()
		default:
			f.open = func() (io.ReadCloser, error) { return nil, refuse("%s is neither a folder nor a file", full) }
		}
		err = s.add(f)
		if err == nil && f.dir {
			err = s.addFolder(ctx, root, at, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *source) addArchive(ctx context.Context, name string, size int64) error {
	f, err := os.Open(name)
	if err != nil {
		return classify(ErrData, err)
	}
	s.close = f.Close
	head := make([]byte, 4)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return classify(ErrData, err)
	}
	switch head = head[:n]; {
	case n == 0:
		return refuse("%s is empty", name)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		err = s.addZip(f, size)
	case isGzip(head):
		err = s.addTarGz(ctx, f)
	default:
		return refuse("%s is neither a folder nor a .zip nor a .tar.gz", name)
	}
	return within(name, err)
}

func (s *source) addZip(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked by add, which says which one it is
		return classify(ErrData, err)
	}
	for _, f := range z.File {
		switch mode := f.Mode(); {
		case f.Flags&1 != 0:
			return refuse("%q is encrypted", f.Name)
		case !mode.IsDir() && !mode.IsRegular():
			return refuse("%q is neither a folder nor a file", f.Name)
		case f.UncompressedSize64 > 1<<62:
			return refuse("%q claims %d bytes", f.Name, f.UncompressedSize64)
		}
		err := s.add(file{
			path: strings.TrimSuffix(f.Name, "/"),
			dir:  f.Mode().IsDir(),
			size: int64(f.UncompressedSize64),
			open: f.Open,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addTarGz unpacks the whole archive into memory: gzip cannot be read from the middle. What is counted is what the members say they
// hold, since the holes of sparse ones are not in the stream, and the stream, which has headers too.
func (s *source) addTarGz(ctx context.Context, r io.Reader) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return classify(ErrData, err)
	}
	bounded := &io.LimitedReader{R: z, N: s.limit.Bytes + 1} // one more tells the limit from what goes beyond it
	left := s.limit.Bytes
	t := tar.NewReader(bounded)
	for {
		h, err := t.Next()
		if err == io.EOF { // h is nil; behind the members is the checksum of everything
			if _, err = io.Copy(io.Discard, bounded); errors.Is(err, gzip.ErrHeader) {
				err = nil // padding, behind that
			}
		}
		var content []byte
		if err == nil && h != nil && h.Typeflag == tar.TypeReg {
			if left -= h.Size; left < 0 {
				return refuse("%q makes the archive larger than %d bytes unpacked", h.Name, s.limit.Bytes)
			}
			content, err = readAll(t, h.Size, h.Size)
		}
		switch {
		case bounded.N <= 0:
			return refuse("the archive is larger than %d bytes unpacked", s.limit.Bytes)
		case err != nil:
			return classify(ErrData, err)
		case h == nil || ctx.Err() != nil:
			return ctx.Err()
		case h.Typeflag == tar.TypeXGlobalHeader:
			continue
		case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir:
			return refuse("%q is neither a folder nor a file", h.Name)
		}
		err = s.add(file{
			path: strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/"),
			dir:  h.Typeflag == tar.TypeDir,
			size: h.Size,
			open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		})
		if err != nil {
			return err
		}
	}
}

// add takes f into the list once its name is known to be harmless.
func (s *source) add(f file) error {
	if f.path == "" || f.path == "." {
		return nil // the archive's own root
	}
	for part := range strings.SplitSeq(f.path, "/") {
		if ignored(part) {
			return nil // nobody reads it
		}
	}
	if !fs.ValidPath(f.path) || strings.ContainsFunc(f.path, unfit) || !utf8.ValidString(f.path) {
		return refuse("name %q: absolute, leading out of the source, or with characters no name should have", f.path)
	}
	if len(s.files) >= s.limit.Entries {
		return refuse("more than %d files and folders", s.limit.Entries)
	}
	s.files = append(s.files, f)
	return nil
}

func unfit(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// ignored tells the files that file managers and archivers leave behind from those that were meant.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") && name != "." && name != ".." ||
		name == "__MACOSX" || name == "Icon\r" || name == "Thumbs.db" || name == "desktop.ini"
}

// stripWrapper removes the one folder that archives often put round everything, unless it is a split itself.
func (s *source) stripWrapper() {
	for len(s.files) > 0 {
		first, _, _ := strings.Cut(s.files[0].path, "/")
		if first == trainFolder || first == testFolder {
			return
		}
		inside := slices.DeleteFunc(slices.Clone(s.files), func(f file) bool { return f.path == first })
		for i, f := range inside {
			rest, ok := strings.CutPrefix(f.path, first+"/")
			if !ok {
				return
			}
			inside[i].path = rest
		}
		if len(inside) == 0 {
			return
		}
		s.files = inside
	}
}

// read returns the whole of f, which may have at most limit bytes, and counts it against what the source may give.
func (s *source) read(f file, limit int64) ([]byte, error) {
	if f.size > limit {
		return nil, refuse("%q has %d bytes, more than %d", f.path, f.size, limit)
	}
	if s.left.Add(-f.size) < 0 {
		return nil, refuse("%q brings the data to more than %d bytes", f.path, s.limit.Bytes)
	}
	r, err := f.open()
	if err != nil {
		return nil, within(f.path, classify(ErrData, err))
	}
	defer r.Close()
	b, err := readAll(r, f.size, limit)
	return b, within(f.path, classify(ErrData, err))
}

// head returns the first n bytes of f, behind gzip where f is compressed; fewer if there are no more.
func (s *source) head(f file, n int) ([]byte, error) {
	r, err := f.open()
	if err != nil {
		return nil, within(f.path, classify(ErrData, err))
	}
	defer r.Close()
	b, err := readSome(r, n)
	if err != nil || !isGzip(b) {
		return b, within(f.path, classify(ErrData, err))
	}
	again, err := f.open()
	if err != nil {
		return nil, within(f.path, classify(ErrData, err))
	}
	defer again.Close()
	z, err := gzip.NewReader(again)
	if err == nil {
		b, err = readSome(z, n)
	}
	return b, within(f.path, classify(ErrData, err))
}

// gunzip unpacks b if it is compressed, and counts what comes of it against what the source may give.
func (s *source) gunzip(b []byte) ([]byte, error) {
	if !isGzip(b) {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	left := s.left.Load()
	b, err = readAll(z, int64(len(b)), left)
	if s.left.Add(-int64(len(b))) < 0 {
		return nil, refuse("unpacked, it brings the data to more than %d bytes", s.limit.Bytes)
	}
	return b, err
}

func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

// readAll reads r to its end. It expects size bytes, and refuses more than limit.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	buf := bytes.NewBuffer(make([]byte, 0, min(size, limit, 64<<20)+bytes.MinRead))
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = refuse("more than %d bytes", limit)
	}
	return buf.Bytes(), err
}

func readSome(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}
