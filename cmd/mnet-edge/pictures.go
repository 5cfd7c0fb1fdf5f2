package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mnet-edge/dataset"
)

// stdinName stands for standard input among a command's images.
const stdinName = "-"

// pictureFiles are what an image argument may name: a file of any name, standard input, the pictures in a folder and
// below it, or those that a pattern matches where the shell left it alone. The order is that of the arguments, and within
// one of them that of the names.
func pictureFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		if arg == stdinName {
			if slices.Contains(files, stdinName) {
				return nil, usagef("standard input is named twice")
			}
			files = append(files, arg)
			continue
		}
		found, err := picturesAt(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func picturesAt(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return picturesBelow(arg)
	case err != nil && strings.ContainsAny(arg, "*?["):
		found, err := filepath.Glob(arg)
		if err != nil {
			return nil, usagef("%q: %w", arg, err)
		}
		if found = visible(found, arg); len(found) == 0 {
			return nil, fmt.Errorf("%w: no file matches %s", dataset.ErrImage, arg)
		}
		return found, nil
	}
	return []string{arg}, nil // reading it says what is wrong with it
}

// hidden says whether a file or folder of that name is out of sight.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// visible are the files that a shell would take for a pattern: what is hidden, files and the folders they are in, only where it names them so.
func visible(files []string, pattern string) []string {
	elements := func(path string) []string { return strings.Split(filepath.ToSlash(filepath.Clean(path)), "/") }
	asked := elements(pattern)
	return slices.DeleteFunc(files, func(file string) bool {
		for i, name := range elements(file) {
			if hidden(name) && !hidden(asked[i]) {
				return true
			}
		}
		return false
	})
}

// picturesBelow goes by the ending of the name: other files may lie in the folder too. What is hidden is left out.
func picturesBelow(dir string) ([]string, error) {
	endings := []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
	var files []string
	root := dir + string(filepath.Separator) // with it a link to a folder is the folder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch hidden := hidden(filepath.Base(path)) && path != root; {
		case err != nil:
			return err
		case entry.IsDir() && hidden:
			return fs.SkipDir
		case !hidden && !entry.IsDir() && slices.Contains(endings, strings.ToLower(filepath.Ext(path))):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, refuse(err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: %s holds no picture (%s)", dataset.ErrImage, dir, strings.Join(endings, ", "))
	}
	return files, nil
}

// readPicture decodes the picture in a file or on standard input, for which it waits no longer than ctx allows.
func readPicture(ctx context.Context, path string, stdin io.Reader) (image.Image, error) {
	if path != stdinName {
		return dataset.DecodeImageFile(path, dataset.ImageLimits{})
	}
	var img image.Image
	done := make(chan error, 1)
	go func() {
		var err error
		img, err = dataset.DecodeImage(stdin, dataset.ImageLimits{})
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return img, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
