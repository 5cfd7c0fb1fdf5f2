package dataset

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fakeCIFAR serves content as CIFAR-10's archive, with an empty cache, and counts the requests.
func fakeCIFAR(t *testing.T, content []byte, handler http.HandlerFunc) (cache string, hits *int) {
	t.Helper()
	hits = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*hits++
		if handler != nil {
			handler(w, r)
			return
		}
		w.Write(content)
	}))
	t.Cleanup(server.Close)
	home := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	before := cifar10
	t.Cleanup(func() { cifar10 = before })
	sum := md5.Sum(content)
	cifar10.url, cifar10.md5, cifar10.files = server.URL+"/cifar-10-binary.tar.gz", hex.EncodeToString(sum[:]), nil
	return filepath.Join(cache, "mnet-edge"), hits
}

func TestCIFAR10Downloads(t *testing.T) {
	archive := cifarTree().below("cifar-10-batches-bin").tarGz()
	cache, hits := fakeCIFAR(t, archive, nil)
	var bytes []int
	for i := range 2 {
		s := mustOpen(t, "cifar10", Options{Progress: func(done, total int) {
			if total == len(archive) {
				bytes = append(bytes, done)
			}
		}})
		if s.Name != "cifar10" || s.Train.N != 10 || s.Test.N != 2 {
			t.Errorf("%s, %d + %d images", s.Name, s.Train.N, s.Test.N)
		}
		if *hits != 1 {
			t.Errorf("%d requests after opening %d times", *hits, i+1)
		}
	}
	if len(bytes) == 0 || bytes[len(bytes)-1] != len(archive) {
		t.Errorf("progress of the download: %v of %d", bytes, len(archive))
	}

	// A damaged file is fetched anew; an unpacked folder comes before the archive.
	stored := filepath.Join(cache, cifar10.file)
	if err := os.WriteFile(stored, archive[:100], 0o644); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, "cifar10", Options{})
	if *hits != 2 {
		t.Errorf("%d requests after the archive was damaged", *hits)
	}
	if err := os.Rename(tree{"test_batch.bin": cifarRecords(1)}.folder(t), filepath.Join(cache, cifar10.unpacked)); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, "cifar10", Options{}); s.Name != "cifar10" || s.Train.N != 0 || s.Test.N != 1 || *hits != 2 {
		t.Errorf("unpacked: %s, %d + %d images, %d requests", s.Name, s.Train.N, s.Test.N, *hits)
	}

	// Its files are the archive's, or the folder isn't CIFAR-10.
	sum := md5.Sum(cifarRecords(1))
	cifar10.files = map[string]string{"test_batch.bin": hex.EncodeToString(sum[:]), "data_batch_1.bin": "of a file that is missing"}
	mustOpen(t, "cifar10", Options{})
	cifar10.files["test_batch.bin"] = cifar10.md5
	if _, err := Open(t.Context(), "cifar10", Options{}); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "test_batch.bin has MD5 "+hex.EncodeToString(sum[:])) {
		t.Errorf("another file: %v", err)
	}
}

func TestCIFAR10Unavailable(t *testing.T) {
	archive := cifarTree().tarGz()
	for name, test := range map[string]struct {
		want    string
		handler http.HandlerFunc
	}{
		"not found":     {"404", http.NotFound},
		"other content": {"MD5", func(w http.ResponseWriter, _ *http.Request) { w.Write(archive[1:]) }},
		"cut connection": {"EOF", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(archive)))
			w.Write(archive[:10])
		}},
		"too long": {"more than", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 2000)) }},
	} {
		t.Run(name, func(t *testing.T) {
			cache, _ := fakeCIFAR(t, archive, test.handler)
			if name == "too long" {
				cifar10.bytes = 1000
			}
			_, err := Open(t.Context(), "cifar10", Options{})
			if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "--data") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestCIFAR10WithoutNetwork(t *testing.T) {
	fakeCIFAR(t, nil, nil)
	cifar10.url = "http://127.0.0.1:1/nobody-listens"
	_, err := Open(t.Context(), "cifar10", Options{})
	if !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "pass --data") || !strings.Contains(err.Error(), cifar10.url) {
		t.Errorf("error %v", err)
	}
}

func TestCIFAR10Canceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cache, _ := fakeCIFAR(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 100))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := Open(ctx, "cifar10", Options{}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrData) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A cache that cannot be written to is a fault of the system, not of the data.
func TestCIFAR10CacheUnwritable(t *testing.T) {
	cache, _ := fakeCIFAR(t, cifarTree().tarGz(), nil)
	if err := os.WriteFile(filepath.Dir(cache)+"/mnet-edge", nil, 0o644); err != nil {
		t.Skip(err)
	}
	_, err := Open(t.Context(), "cifar10", Options{})
	var path *fs.PathError
	if errors.Is(err, ErrData) || !errors.As(err, &path) {
		t.Errorf("error %v", err)
	}
}
