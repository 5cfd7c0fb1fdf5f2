package train

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"mnet-edge/model"
)

// loadFrom reads the best checkpoint of the run whose weights this one is to begin with, if there is one.
func (r *run) loadFrom() error {
	if r.c.From == "" {
		return nil
	}
	c, err := r.load(r.c.From)
	if err != nil {
		return err
	}
	alike := c.Spec
	alike.Size, alike.Enlarge, alike.OutputStride, alike.Classes = r.c.Spec.Size, r.c.Spec.Enlarge, r.c.Spec.OutputStride, r.c.Spec.Classes
	if alike != r.c.Spec {
		return fmt.Errorf("train: %s holds net %s, whose weights are no beginning for %s: %w", r.c.From, c.Spec.Name(), r.c.Spec.Name(), model.ErrCheckpoint)
	}
	r.from = c
	return nil
}

// load reads the best checkpoint of another run.
func (r *run) load(dir string) (*model.Checkpoint, error) {
	c, note, err := model.Load(dir)
	if err == nil {
		r.note(note)
	}
	return c, err
}

// heldOutAlike says whether c's run held out the images that this one does, of the same data.
func (r *run) heldOutAlike(c *model.Checkpoint) bool {
	if digest, ok := c.State["val_sha256"]; ok { // older ones lack it
		return digest == r.valSum
	}
	return c.State["seed"] == strconv.FormatUint(r.c.Seed, 10) && int(c.Metrics["val_n"]) == r.val.N
}

// begin returns a run's first weights: drawn or, with Config.From, that run's. If that run knew other classes, the last layer stays as drawn:
// what finds edges and wheels is of use for any picture (Yosinski et al., "How transferable are features in deep neural networks?", 2014).
func (r *run) begin(drawn model.Weights) model.Weights {
	if r.from == nil {
		return drawn
	}
	if r.from.State["data_sha256"] == r.set.SHA256 && !r.heldOutAlike(r.from) {
		r.note(fmt.Sprintf("%s learnt from some of the images held out here: validation flatters (with that run's --seed, --limit and --val-fraction it would not)", r.c.From))
	}
	weights := maps.Clone(r.from.Weights)
	if !slices.Equal(r.from.Labels, r.set.Classes) {
		r.note(fmt.Sprintf("%s knows other classes: the last layer begins anew", r.c.From))
		layers := r.c.Spec.Layers()
		last := layers[len(layers)-1].Name
		for _, name := range []string{last + ".weight", last + ".bias"} {
			weights[name] = drawn[name]
		}
	}
	return weights
}
