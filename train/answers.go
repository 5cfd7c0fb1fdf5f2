package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"mnet-edge/dataset"
	"mnet-edge/model"
)

// Answers are those of a teacher that no run of this program left, nor any net of package model: a model in a file, which whoever opens it
// knows how to run. The step can't compute them; they are asked for before each one.
type Answers struct {
	Size   int      // of its images, in pixels
	Labels []string // its classes, in the order of its logits
	SHA256 string   // of the file

	// Ask writes the logits (N, classes) for pixels (N, Size, Size, 3) to logits. The same pixels get the same logits.
	Ask func(logits []float32, pixels []byte) error

	Close func() error // no Ask may come after it
}

// askedOn puts the logits of the teacher with number i on device d, for its share of that device's pixels (N, H, W, 3).
func (t *trainer) askedOn(d, i int, pixels []byte) (compute.Buffer, error) {
	size, teacher := t.spec.Size, t.teachers[i].asked
	image := 3 * size * size
	from, to, mirrored := t.share(i, len(pixels)/image)
	part := slices.Clone(pixels[from*image : to*image])
	for row := range slices.Chunk(part[:mirrored*image], 3*size) {
		dataset.MirrorRow(row)
	}
	logits := make([]float32, (to-from)*t.spec.Classes)
	if err := teacher.Ask(logits, averaged(part, size, teacher.Size)); err != nil {
		return nil, fmt.Errorf("train: teacher %d: %w", i+1, err)
	}
	for _, v := range logits {
		if !finite(float64(v)) { // else the loss would say that the pupil diverged
			return nil, fmt.Errorf("train: teacher %d answers %v: %w", i+1, v, model.ErrCheckpoint)
		}
	}
	b, err := t.backend.BufferFromFlatData(compute.DeviceNum(d), logits, shapes.Make(dtypes.Float32, to-from, t.spec.Classes))
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return b, nil
}

// averaged is pixels (N, H, H, 3) as (N, size, size, 3), each the mean of those it stands for, rounded half up: what sized is in the step, in
// bytes. H is a multiple of size.
func averaged(pixels []byte, h, size int) []byte {
	side := h / size
	if side == 1 {
		return pixels
	}
	out := make([]byte, len(pixels)/(side*side))
	for i := range out {
		c, x, y := i%3, i/3%size, i/3/size // y counts on over all images
		sum := side * side / 2
		for dy := range side {
			for dx := range side {
				sum += int(pixels[3*((y*side+dy)*h+x*side+dx)+c])
			}
		}
		out[i] = byte(sum / (side * side))
	}
	return out
}
