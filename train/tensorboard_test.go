package train

import (
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"testing"
)

// readBack prints, as JSON, what TensorBoard's own reader finds in a run's folder: for each tag its [wall time, step, value].
const readBack = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [[e.wall_time, e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
`

// MNET_TENSORBOARD is a Python that has tensorboard; make tensorboard-test brings one.
func TestTensorBoardReads(t *testing.T) {
	python := os.Getenv("MNET_TENSORBOARD")
	if python == "" {
		t.Skip("MNET_TENSORBOARD names no Python with tensorboard: make tensorboard-test")
	}
	c := tinyConfig(t)
	epochs, _ := told(t, c, patterns(40, 8))
	read := exec.Command(python, "-c", readBack, c.Out)
	read.Stderr = os.Stderr
	out, err := read.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][][3]float64
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string][][3]float64{}
	for _, e := range epochs {
		for tag, v := range map[string]float64{
			"loss/training": e.TrainLoss, "top1/training": e.TrainTop1, "loss/validation": e.ValLoss, "top1/validation": e.ValTop1, "learning_rate": e.LR,
		} {
			want[tag] = append(want[tag], [3]float64{float64(e.Time), float64(e.Step), float64(float32(v))})
		}
	}
	if len(epochs) != c.Epochs || !reflect.DeepEqual(got, want) {
		t.Errorf("TensorBoard reads %v, want %v", got, want)
	}
}
