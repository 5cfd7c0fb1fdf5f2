package train

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// readBack prints, as JSON, what TensorBoard's own reader finds in a folder: for each tag its [wall time, step, value].
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
	dir, start := t.TempDir(), time.Unix(1_700_000_000, 0)
	if err := os.WriteFile(filepath.Join(dir, "events.out.tfevents.1700000000.mnet-edge"), twoEpochs.events(start), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "-c", readBack, dir)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][][3]float64
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	at := func(values ...float64) [][3]float64 {
		return [][3]float64{{1_700_000_100, 100, values[0]}, {1_700_000_000, 200, values[1]}}
	}
	want := map[string][][3]float64{
		"loss/training": at(2, 1), "top1/training": at(0.25, 0.75), "loss/validation": at(1.5, 0.5), "top1/validation": at(0.5, 0.875),
		"learning_rate": at(0.25, 0.125),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("TensorBoard reads %v, want %v", got, want)
	}
}
