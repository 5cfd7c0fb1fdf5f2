package dataset

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mnet-edge/atomicfile"
)

const (
	cifarName   = "cifar10"
	cacheFolder = "mnet-edge" // below the user's cache folder
)

// remote is an archive that may be fetched.
type remote struct {
	url, file, unpacked string
	md5                 string            // as the publisher gives it; against faults of transfer, not against forgery
	bytes               int64             // at most
	files               map[string]string // the MD5 of each file of unpacked that results depend on
}

// cifar10 is the archive of the data set's own page.
var cifar10 = remote{
	url:      "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	file:     "cifar-10-binary.tar.gz",
	unpacked: "cifar-10-batches-bin",
	md5:      "c32a1d4ab5d03f1284b67883e8d87530",
	bytes:    256 << 20,
	files: map[string]string{
		"data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
		"data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
		"data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
		"data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
		"data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
		"test_batch.bin":   "803d5f7f4d78ea53de84dbe85f74fb6d",
	},
}

// CIFAR10Folder is where Open looks first for the data set named cifar10: the folder of its binary files.
func CIFAR10Folder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", refuse("%s has no cache folder to lie in (%w); pass --data with a folder or archive of it", cifarName, err)
	}
	return filepath.Join(cache, cacheFolder, cifar10.unpacked), nil
}

// openCache opens CIFAR-10 from the cache: unpacked there, as the archive with the right checksum, or as the archive
// downloaded now.
func openCache(ctx context.Context, o Options) (*Set, error) {
	unpacked, err := CIFAR10Folder()
	if err != nil {
		return nil, err
	}
	path, err := cifar10.locate(ctx, unpacked, o.Progress)
	if err != nil {
		return nil, err
	}
	set, err := openPath(ctx, path, o)
	if err != nil {
		return nil, err
	}
	set.Name = cifarName
	return set, nil
}

// locate returns the path of the data, unpacked or beside that as an archive, after fetching it if need be.
func (r remote) locate(ctx context.Context, unpacked string, progress func(done, total int)) (string, error) {
	if info, err := os.Stat(unpacked); err == nil && info.IsDir() {
		return unpacked, r.check(unpacked)
	}
	archive := filepath.Join(filepath.Dir(unpacked), r.file)
	sum, err := fileMD5(archive)
	if err == nil && sum == r.md5 {
		return archive, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("dataset: %w", err)
	}
	if err := r.fetch(ctx, archive, progress); err != nil {
		return "", err
	}
	return archive, nil
}

// check refuses an unpacked folder whose files are others than the archive's: a run's record names the data set, and its figures
// are held to other people's. A file that is missing is left to whoever reads the folder.
func (r remote) check(folder string) error {
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		path := filepath.Join(folder, name)
		sum, err := fileMD5(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("dataset: %w", err)
		case sum != r.files[name]:
			return refuse("%s has MD5 %s, not %s: remove %s, or pass it as --data if it is meant to be other images", path, sum, r.files[name], folder)
		}
	}
	return nil
}

func fileMD5(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// client gives up on a server that does not answer; how long the transfer takes is up to ctx.
var client = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
	TLSHandshakeTimeout:   15 * time.Second,
	ResponseHeaderTimeout: 30 * time.Second,
	ForceAttemptHTTP2:     true,
}}

// fetch downloads the archive to path, which is either complete and of the right checksum, or untouched.
func (r remote) fetch(ctx context.Context, path string, progress func(done, total int)) error {
	unavailable := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return refuse("%s cannot be downloaded: %w; pass --data with a folder or archive of it, or put it at %s", r.url, err, path)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return unavailable(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return unavailable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return unavailable(fmt.Errorf("the server says %s", response.Status))
	}

	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	out, err := atomicfile.New(path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	defer out.Abandon()
	sum := md5.New()
	body := &meter{r: io.LimitReader(response.Body, r.bytes+1), total: int(response.ContentLength), progress: progress}
	n, err := io.Copy(io.MultiWriter(out, sum), body)
	switch {
	case body.err != nil:
		return unavailable(body.err)
	case err != nil:
		return fmt.Errorf("dataset: %s: %w", path, err)
	case n > r.bytes:
		return unavailable(fmt.Errorf("more than %d bytes", r.bytes))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != r.md5 {
		return unavailable(fmt.Errorf("%d bytes came with MD5 %s, not %s", n, got, r.md5))
	}
	if err := out.Replace(); err != nil {
		return fmt.Errorf("dataset: %s: %w", path, err)
	}
	return nil
}

// meter tells progress of the bytes that pass, a mebibyte at a time, and keeps the error of the reader apart from the writer's.
type meter struct {
	r           io.Reader
	total, done int // bytes; total < 0 if unknown
	progress    func(done, total int)
	err         error
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	before := m.done >> 20
	m.done += n
	if m.progress != nil && (m.done>>20 != before || err == io.EOF) {
		m.progress(m.done, m.total)
	}
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}
