package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"mnet-edge/builtin"
	"mnet-edge/infer"
	"mnet-edge/train"
)

// teacherOpener opens the teachers of a run that are models: files, and the one built in. A name of anything else is a run's.
func teacherOpener(c *cli.Context) func(name string) (*train.Answers, error) {
	return func(name string) (*train.Answers, error) {
		if info, err := os.Stat(name); name != builtin.Name && (err != nil || info.IsDir()) {
			return nil, nil
		}
		b, err := readModel(name)
		if err != nil {
			return nil, err
		}
		a, on, err := answersOf(b)
		if errors.Is(err, infer.ErrMetadata) {
			err = withHint(err, "a teacher says itself how pixels become its input, and which classes it knows: such files convert writes")
		}
		if err != nil {
			return nil, fmt.Errorf("teacher %s: %w", name, err)
		}
		say(c, "teacher %s runs on %s", name, on)
		return a, nil
	}
}

// answersOf are those of a model (.tflite) on the runtime that infer would take, which is named too. A processor answers one image at a time.
func answersOf(file []byte) (a *train.Answers, on string, err error) {
	m, logits, err := infer.LoadLogits(file, infer.Given{})
	if err == nil && m.Labels == nil {
		err = fmt.Errorf("%w: its classes have no names", infer.ErrMetadata)
	}
	if err != nil {
		return nil, "", err
	}
	side, err := sideOf(m)
	if err != nil {
		return nil, "", err
	}
	workers := runtime.GOMAXPROCS(0)
	pool, err := infer.NewPool(workers, func() (infer.Session, error) {
		r, s, err := infer.Open(runtimes(), logits, infer.Options{})
		if err == nil {
			on = r.Name()
		}
		return s, err
	})
	if err != nil {
		return nil, "", err
	}
	return &train.Answers{
		Size: side, Labels: m.Labels, SHA256: sha256Hex(file), Close: pool.Close,
		Ask: func(logits []float32, pixels []byte) error {
			image, images := 3*side*side, len(logits)/m.Classes
			var group errgroup.Group
			for w := range min(workers, images) {
				group.Go(func() error {
					in, out := make([]byte, m.Input.Type.Bytes()), make([]byte, m.Output.Type.Bytes())
					for i := w; i < images; i += workers {
						err := m.Preprocess(in, pixels[i*image:(i+1)*image])
						if err == nil {
							err = pool.Run(in, out)
						}
						if err == nil {
							err = m.Scores(logits[i*m.Classes:(i+1)*m.Classes], out)
						}
						if err != nil {
							return err
						}
					}
					return nil
				})
			}
			return group.Wait()
		},
	}, on, nil
}
