package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mnet-edge/dataset"
	"mnet-edge/infer"
)

func splitFlag() cli.Flag {
	return &cli.StringFlag{Name: "split", Value: "test", Usage: "`test` or train"}
}

func limitFlag() cli.Flag {
	return &cli.IntFlag{Name: "limit", DefaultText: "all", Usage: "take `N` images, spread evenly over the split"}
}

// imageSets opens what --data, --split and --limit name, once for each size that models take.
type imageSets struct {
	c    *cli.Context
	data string
	open map[int]*dataset.Set
}

func newImageSets(c *cli.Context, data string) *imageSets {
	return &imageSets{c, data, map[int]*dataset.Set{}}
}

// scoredImages are what a model is scored on.
type scoredImages struct {
	set   *dataset.Set
	split dataset.Split
	all   iter.Seq2[[]byte, int] // with the class that the model numbers each by
	first []byte                 // as the model takes it
}

// of are the images for a model.
func (s *imageSets) of(m *openedModel) (images scoredImages, err error) {
	if err := aboveZero(s.c, "limit"); err != nil {
		return images, err
	}
	side, err := m.side()
	if err != nil {
		return images, err
	}
	if images.set = s.open[side]; images.set == nil {
		if images.set, err = s.openSplit(side); err != nil {
			return images, err
		}
		s.open[side] = images.set
	}
	images.split = images.set.Test
	if s.c.String("split") == "train" {
		images.split = images.set.Train
	}
	if images.all, err = evaluationImages(m.Model, images.set, &images.split); err != nil {
		if s.c.String("data") == "" {
			err = withHint(err, "name images of those classes with --data")
		}
		return images, err
	}
	images.all = shown(s.c, images.all, images.split.N, m.path)
	images.first = make([]byte, m.Input.Type.Bytes())
	return images, m.Preprocess(images.first, images.split.Image(0))
}

// openSplit opens the split and the images of it that are asked for, and no others.
func (s *imageSets) openSplit(side int) (*dataset.Set, error) {
	o := dataset.Options{Size: side, TrainLimit: -1, TestLimit: -1}
	switch name := s.c.String("split"); name {
	case "test":
		o.TestLimit = s.c.Int("limit")
	case "train":
		o.TrainLimit = s.c.Int("limit")
	default:
		return nil, usagef("--split %q: want test or train", name)
	}
	return openSome(s.c, s.data, o)
}

// side is the height and width of the model's images, which those of a set all have.
func (o *openedModel) side() (int, error) {
	side, err := sideOf(o.Model)
	if err != nil {
		err = fmt.Errorf("%s: %w", o.path, err)
	}
	return side, err
}

// sideOf is that of any model's.
func sideOf(m *infer.Model) (int, error) {
	if m.Height != m.Width {
		return 0, fmt.Errorf("%w: it takes images of %dx%d, and those of a set are as high as wide", infer.ErrModel, m.Width, m.Height)
	}
	return m.Height, nil
}

// someOf are the first of many names.
func someOf(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// evaluationImages are the split's images with the class that the model numbers them by. The names of classes decide,
// where the model has labels; without labels the numbers have to agree.
func evaluationImages(m *infer.Model, set *dataset.Set, split *dataset.Split) (iter.Seq2[[]byte, int], error) {
	if split.N == 0 {
		return nil, fmt.Errorf("%w: %s has no images in this split", dataset.ErrData, set.Name)
	}
	class := make([]int, len(set.Classes))
	for i, name := range set.Classes {
		class[i] = i
		if m.Labels != nil {
			if class[i] = slices.Index(m.Labels, name); class[i] >= 0 && slices.Contains(m.Labels[class[i]+1:], name) {
				return nil, fmt.Errorf("%w: %s has a class %q, and the model knows more than one of that name", dataset.ErrData, set.Name, name)
			}
		}
		if m.Labels == nil && i >= m.Classes {
			return nil, fmt.Errorf("%w: %s has %d classes, the model gives %d scores", dataset.ErrData, set.Name, len(set.Classes), m.Classes)
		}
		if class[i] < 0 || class[i] >= m.Classes {
			return nil, fmt.Errorf("%w: %s has a class %q, the model knows %s", dataset.ErrData, set.Name, name, someOf(m.Labels))
		}
	}
	return func(yield func([]byte, int) bool) {
		for i := range split.N {
			if !yield(split.Image(i), class[split.Labels[i]]) {
				return
			}
		}
	}, nil
}

// shown is images with a bar that says how many are done. It is drawn between the calls, whose times it is no part of, ten times a second at most.
func shown(c *cli.Context, images iter.Seq2[[]byte, int], total int, what string) iter.Seq2[[]byte, int] {
	return func(yield func([]byte, int) bool) {
		b := newBar(c, total)
		if b == nil {
			images(yield)
			return
		}
		defer b.finish()
		done, drawn := 0, time.Time{}
		for rgb, class := range images {
			if now := time.Now(); now.Sub(drawn) > 100*time.Millisecond {
				b.set(done, what)
				drawn = now
			}
			done++
			if !yield(rgb, class) {
				return
			}
		}
	}
}

// inputsOf are a split's images as the model takes them.
func inputsOf(m *infer.Model, split *dataset.Split) ([][]byte, error) {
	inputs := make([][]byte, split.N)
	for i := range inputs {
		inputs[i] = make([]byte, m.Input.Type.Bytes())
		if err := m.Preprocess(inputs[i], split.Image(i)); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}
